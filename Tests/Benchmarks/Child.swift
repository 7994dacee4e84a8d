import CLinux
import Glibc

/// A program beside us, on one core, that ends when we do.
final class Child {
  let pid: pid_t
  /// What it writes to stdout.
  private let output: Int32
  /// Its stdin; closing it asks the echo server to end.
  private var input: Int32
  private var isReaped = false

  /// `core` nil leaves it wherever the kernel puts it.
  init(_ arguments: [String], core: Int?, silent: Bool = false) throws {
    var words = ["setpriv", "--pdeathsig", "KILL"]
    if let core { words += ["taskset", "-c", String(core)] }
    words += arguments
    var (toChild, fromChild) = ([Int32](repeating: -1, count: 2), [Int32](repeating: -1, count: 2))
    guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else {
      throw Broken("no pipe: \(SystemCall.lastError)")
    }
    for fd in toChild + fromChild { _ = fcntl(fd, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
    posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
    if silent { posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) }
    var pid = pid_t()
    var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    let code = posix_spawnp(&pid, words[0], &actions, nil, &pointers, clinux_environment())
    close(toChild[0])
    close(fromChild[1])
    (input, output, self.pid) = (toChild[1], fromChild[0], pid)
    guard code == 0 else {
      throw Broken("\(words[0]) does not start: \(String(cString: strerror(code)))")
    }
  }

  deinit {
    stop()
    close(output)
  }

  /// Runs a program to its end; its stdout when it succeeded.
  static func output(of arguments: [String], core: Int? = nil, silent: Bool = false) throws
    -> String
  {
    let child = try Child(arguments, core: core, silent: silent)
    child.closeInput()
    let text = child.readToEnd()
    let status = child.wait()
    guard status == 0 else { throw Broken("\(arguments[0]) ended with status \(status)") }
    return text
  }

  func closeInput() {
    if input >= 0 { close(input) }
    input = -1
  }

  /// Up to the end of a line, without it; nil at the end of the output.
  func readLine() -> String? {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while read(output, &byte, 1) == 1 {
      if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
      line.append(byte)
    }
    return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
  }

  func readToEnd() -> String {
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(output, &block, block.count)
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(contentsOf: block[..<count])
    }
  }

  @discardableResult func wait() -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    isReaped = true
    return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
  }

  func stop() {
    guard !isReaped else { return }
    closeInput()
    kill(pid, SIGTERM)
    wait()
  }

  var isRunning: Bool {
    if isReaped { return false }
    var status: Int32 = 0
    guard waitpid(pid, &status, WNOHANG) == 0 else {
      isReaped = true
      return false
    }
    return true
  }

  /// User and system time so far, in microseconds; the kernel counts in hundredths of a second.
  var processorMicroseconds: Double { Process.processorSeconds(of: pid) * 1e6 }

  var residentKilobytes: (all: Double, anonymous: Double)? { Process.residentKilobytes(of: pid) }
}

enum Process {
  /// User and system time so far; the kernel counts in hundredths of a second.
  static func processorSeconds(of pid: pid_t) -> Double {
    // The fields after the name in brackets, `proc_pid_stat(5)`: utime is 14 and stime 15.
    guard let text = readWhole("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else {
      return 0
    }
    let fields = text[text.index(after: end)...].split(separator: " ")
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
      return 0
    }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  /// `VmRSS` and, of it, `RssAnon`: what no other process can share; in kilobytes.
  static func residentKilobytes(of pid: pid_t) -> (all: Double, anonymous: Double)? {
    guard let text = readWhole("/proc/\(pid)/status") else { return nil }
    let lines = text.split(separator: "\n")
    func kilobytes(_ name: String) -> Double? {
      lines.first { $0.hasPrefix("\(name):") }.flatMap {
        Double($0.split { $0 == " " || $0 == "\t" }.dropFirst().first ?? "")
      }
    }
    guard let all = kilobytes("VmRSS"), let anonymous = kilobytes("RssAnon") else { return nil }
    return (all, anonymous)
  }
}

enum SystemCall {
  static var lastError: String { String(cString: strerror(errno)) }
}

/// Which cores the two ends of a connection run on.
enum Cores {
  private static let count = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
  static let server = 0
  static let client = min(1, count - 1)

  /// Runs `body` with the main thread on the client's core.
  static func onClientCore<Value>(_ body: () throws -> Value) throws -> Value {
    try pin(to: String(client))
    let result = Result { try body() }
    try pin(to: "0-\(count - 1)")
    return try result.get()
  }

  private static func pin(to cores: String) throws {
    _ = try Child.output(of: ["taskset", "-c", "-p", cores, String(getpid())])
  }
}

func readWhole(_ path: String) -> String? {
  guard let file = fopen(path, "rb") else { return nil }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var block = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = fread(&block, 1, block.count, file)
    guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
    bytes.append(contentsOf: block[..<count])
  }
}
