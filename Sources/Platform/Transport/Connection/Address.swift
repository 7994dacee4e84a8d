internal import CLinux
internal import Glibc

/// Where a server listens, or where a client connects to.
package enum Address: Sendable, Hashable, CustomStringConvertible {
  /// `host` is a name, an IPv4 or an IPv6 address (without brackets). Port 0 asks for a free one.
  case tcp(host: String, port: Int)
  case unix(path: String)

  package var description: String {
    switch self {
    case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }

  /// `127.0.0.1:50051`, `[::1]:50051` or `unix:/run/x.sock`; nil when it is none of them.
  package init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      guard !path.isEmpty else { return nil }
      self = .unix(path: path)
      return
    }
    guard let colon = text.lastIndex(of: ":") else { return nil }
    var host = text[..<colon]
    guard let port = Int(text[text.index(after: colon)...]), (0...65_535).contains(port) else {
      return nil
    }
    if host.hasPrefix("[") {
      guard host.hasSuffix("]") else { return nil }
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    guard !host.isEmpty, !host.contains(where: { $0 == "[" || $0 == "]" }) else { return nil }
    self = .tcp(host: String(host), port: port)
  }
}

/// A socket address of the kernel with its length.
struct SocketAddress: Sendable {
  var storage = sockaddr_storage()
  var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

  init() {}

  init(_ info: addrinfo) {
    length = info.ai_addrlen
    withUnsafeMutableBytes(of: &storage) {
      $0.copyMemory(from: UnsafeRawBufferPointer(start: info.ai_addr, count: Int(info.ai_addrlen)))
    }
  }

  /// A path longer than the kernel takes (107 bytes) is refused.
  init?(path: String) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    length = socklen_t(MemoryLayout<sockaddr_un>.size)
    withUnsafeMutableBytes(of: &storage) { storage in
      withUnsafeBytes(of: &address) { storage.copyMemory(from: $0) }
    }
  }

  var family: Int32 { Int32(storage.ss_family) }

  func withPointer<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withUnsafePointer(to: storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }

  mutating func withMutablePointer<R>(
    _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> R
  ) -> R {
    withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &length) }
    }
  }

  /// `127.0.0.1:40112`, `[::1]:40112` or `unix`.
  var text: String {
    guard family == AF_INET || family == AF_INET6 else { return "unix" }
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let code = withPointer {
      getnameinfo($0, $1, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST)
    }
    guard code == 0 else { return "unknown" }
    let name = host.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    return family == AF_INET6 ? "[\(name)]:\(port)" : "\(name):\(port)"
  }

  /// The port of an IPv4 or IPv6 address; both keep it, big-endian, after the family.
  var port: Int {
    get { withUnsafeBytes(of: storage) { Int($0[2]) << 8 | Int($0[3]) } }
    set {
      withUnsafeMutableBytes(of: &storage) {
        $0[2] = UInt8(truncatingIfNeeded: newValue >> 8)
        $0[3] = UInt8(truncatingIfNeeded: newValue)
      }
    }
  }

  /// The addresses of a host. Names other than numbers may block in the resolver (`/etc/hosts`,
  /// DNS): a listener resolves when it starts, others ask the `HostResolver`.
  static func resolve(
    host: String, port: Int, passive: Bool, onlyNumbers: Bool = false
  ) throws(TransportError) -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = (passive ? AI_PASSIVE : 0) | (onlyNumbers ? AI_NUMERICHOST : 0)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &list)
    guard code == 0 else {
      throw TransportError("\(host) cannot be resolved: \(String(cString: gai_strerror(code)))")
    }
    defer { freeaddrinfo(list) }
    var found: [SocketAddress] = []
    var next = list
    while let entry = next {
      found.append(SocketAddress(entry.pointee))
      next = entry.pointee.ai_next
    }
    return found
  }

  static func candidates(_ address: Address, passive: Bool) throws(TransportError)
    -> [SocketAddress]
  {
    switch address {
    case .tcp(let host, let port):
      return try resolve(host: host, port: port, passive: passive)
    case .unix(let path): return [try local(path)]
    }
  }

  static func local(_ path: String) throws(TransportError) -> SocketAddress {
    guard let address = SocketAddress(path: path) else {
      throw TransportError("the socket path \(path) is longer than 107 bytes")
    }
    return address
  }
}

/// Why a connection could not be made, in words for a log.
package struct TransportError: Error, Sendable, Hashable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}
