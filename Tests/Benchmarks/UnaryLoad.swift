import Calls
import Glibc

/// `rpc.unary`: our gRPC echo, nghttpd serving a file of the same 37 bytes, and gRPC C++ (callback
/// API), each on one core, with the same h2load on the other; medians of interleaved rounds.
enum UnaryLoad {
  private static let rounds = 5

  static func run() throws -> [Figures] {
    try Load.requireTools()
    let workspace = try Workspace("unary")
    try workspace.write(EchoServer.frame, to: "request")
    let path = EchoServer.unary.path
    try workspace.write(EchoServer.frame, to: "files\(path)")
    let ours = try Contender.ours()
    let nghttpd = try Contender.nghttpd(files: "\(workspace.path)/files")
    let cpp = Peers.grpcServer()
    try ours.checkEcho()
    try cpp?.checkEcho()

    let contenders = [ours, nghttpd] + (cpp.map { [$0] } ?? [])
    for _ in 0..<rounds {
      for contender in contenders {
        try contender.takeRound(Load(), path: path, body: "\(workspace.path)/request")
      }
    }
    var figures = Figures("rpc.unary")
    let timed = try Load(timesRequests: true).run(
      port: ours.port, path: path, body: "\(workspace.path)/request")
    figures.measured(timed.nanoseconds)
    figures.operationsPerSecond = ours.requestsPerSecond
    compare(&figures, ours, nghttpd)
    figures.allocations = ours.allocationsAtEnd()
    guard let cpp else { return [figures] }
    var other = Figures("rpc.unary.grpc-cpp")
    other.operationsPerSecond = ours.requestsPerSecond
    compare(&other, ours, cpp)
    return [figures, other]
  }

  static func compare(_ figures: inout Figures, _ ours: Contender, _ peer: Contender) {
    figures.peer = peer.name
    figures.ratio = ours.requestsPerSecond / peer.requestsPerSecond
    figures.more = [
      ("peer_ops_per_s", peer.requestsPerSecond), ("cpu_us", ours.processorMicroseconds),
      ("peer_cpu_us", peer.processorMicroseconds),
    ]
  }
}

/// A TCP port of the loopback that nobody listens on.
func freePort() throws -> Int {
  let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(fd) }
  var address = loopback(port: 0)
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let found = withUnsafeMutablePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(fd, $0, length) == 0 && getsockname(fd, $0, &length) == 0
    }
  }
  guard found else { throw Broken("no free port: \(SystemCall.lastError)") }
  return Int(UInt16(bigEndian: address.sin_port))
}

/// Until something accepts on the port, at most ten seconds.
func waitForListener(_ port: Int, _ child: Child) throws {
  for _ in 0..<1_000 {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(fd) }
    var address = loopback(port: port)
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if code == 0 { return }
    guard child.isRunning else { break }
    try pause(.milliseconds(10))
  }
  throw Broken("nothing listens on port \(port)")
}

private func loopback(port: Int) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = UInt16(port).bigEndian
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  return address
}
