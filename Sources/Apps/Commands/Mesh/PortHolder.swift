internal import Glibc
internal import ServiceKit

/// A port of the mesh that somebody else has.
struct PortHolder: Sendable, Equatable {
  let port: Int
  /// Nil when the process is another user's, or was gone when it was looked for.
  let process: Int32?
  let command: String
  /// It is the near end of a connection, not a server.
  let isOutgoing: Bool

  /// Nil when the port can be listened on.
  static func of(_ port: Int) -> PortHolder? {
    isFree(port) ? nil : (look(port) ?? PortHolder(port: port))
  }

  private init(port: Int) {
    self.init(port: port, process: nil, command: "", isOutgoing: false)
  }

  init(port: Int, process: Int32?, command: String, isOutgoing: Bool) {
    self.port = port
    self.process = process
    self.command = command
    self.isOutgoing = isOutgoing
  }

  /// "port 50060 is taken by process 4711 (nginx: worker)", and what to do.
  var text: String {
    let who =
      process.map { "process \($0) (\(command))" } ?? "a process that cannot be seen from here"
    guard isOutgoing else { return "port \(port) is taken by \(who)" }
    return
      "port \(port) is the near end of an outgoing connection of \(who): keep such connections "
      + "off the mesh's ports with `sysctl -w net.ipv4.ip_local_reserved_ports=...` "
      + "(docs/operating.md, Ports)"
  }

  /// As a server of ours would listen.
  private static func isFree(_ port: Int) -> Bool {
    let file = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard file >= 0 else { return true }
    defer { close(file) }
    var one: Int32 = 1
    setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isTaken = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(file, $0, size) } != 0
        && errno == EADDRINUSE
    }
    return !isTaken && listen(file, 1) == 0
  }

  private static func look(_ port: Int) -> PortHolder? {
    var connection: String?
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
      for line in lines(table).dropFirst() {
        let words = line.split(separator: " ")
        guard words.count > 9, let local = words[1].split(separator: ":").last,
          Int(local, radix: 16) == port
        else { continue }
        // 0A is LISTEN: whoever serves there is named before those who only pass.
        if words[3] == "0A" { return holder(port, String(words[9]), isOutgoing: false) }
        connection = connection ?? String(words[9])
      }
    }
    return connection.map { holder(port, $0, isOutgoing: true) }
  }

  private static func holder(_ port: Int, _ inode: String, isOutgoing: Bool) -> PortHolder {
    let wanted = "socket:[\(inode)]"
    for name in names("/proc") {
      guard let process = Int32(name) else { continue }
      let folder = "/proc/\(name)/fd"
      guard names(folder).contains(where: { target("\(folder)/\($0)") == wanted }) else { continue }
      return PortHolder(
        port: port, process: process, command: command(name), isOutgoing: isOutgoing)
    }
    return PortHolder(port: port, process: nil, command: "", isOutgoing: isOutgoing)
  }

  private static func command(_ process: String) -> String {
    let words = lines("/proc/\(process)/cmdline").first ?? ""
    return String(words.split(separator: "\0").joined(separator: " ").prefix(80))
  }

  private static func lines(_ path: String) -> [Substring] {
    do { return try readText(path).split(separator: "\n") } catch { return [] }
  }

  private static func names(_ path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      names.append(
        withUnsafeBytes(of: entry.pointee.d_name) { bytes in
          String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        })
    }
    return names
  }

  private static func target(_ path: String) -> String {
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = buffer.withUnsafeMutableBytes { bytes in
      readlink(path, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
    }
    return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
  }
}
