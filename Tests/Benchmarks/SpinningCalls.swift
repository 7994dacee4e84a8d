import Transport
import Wire

/// `rpc.unary.unix-spin`: our client and our server on a Unix socket, each on a core of its own that it
/// does not give back for 50 microseconds while it waits: what a call costs when nobody has to be woken.
enum SpinningCalls {
  private static let rounds = 4
  private static let calls = 5_000
  private static let spin = 50

  static func run() throws -> [Figures] {
    guard Cores.server != Cores.client else {
      throw Skipped(reason: "two that spin need two cores")
    }
    let workspace = try Workspace("unix-spin")
    let path = "\(workspace.path)/echo.sock"
    let ours = try Contender.ours(["--spin", String(spin)], at: "unix:\(path)")
    var times: [Double] = []
    for _ in 0..<rounds {
      times += try Cores.onClientCore {
        try sequentialCalls(
          at: .unix(path: path), spin: .microseconds(spin), EchoServer.unary,
          request: EchoServer.message.encoded(), warmUp: 500, calls: calls)
      }
    }
    var figures = Figures("rpc.unary.unix-spin", samples: times)
    figures.operationsPerSecond = 1e9 * Double(times.count) / times.reduce(0, +)
    figures.allocations = ours.allocationsAtEnd()
    return [figures]
  }
}
