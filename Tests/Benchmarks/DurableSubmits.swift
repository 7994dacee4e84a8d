import Calls
import Contracts
import Wire

/// `order.submit-durable`: `OrderService.AcceptOrder` over loopback to a server that stamps the order,
/// appends its first event to a journal and answers when that is on the disk. One call after another,
/// and under h2load with 10 connections of 32 streams. Not in it: TLS, tokens, the risk gate and the
/// router, which the services of the mesh add.
enum DurableSubmits {
  private static let calls = 2_000

  static func run() throws -> [Figures] {
    let workspace = try Workspace("durable")
    let request = OmsV1.AcceptOrderRequest.with { $0.order = benchmarkOrder() }.encoded()
    let server = try Contender.ours(["--journal", "\(workspace.path)/alone"])
    let times = try Cores.onClientCore {
      try sequentialCalls(
        port: server.port, EchoServer.accept, request: request, warmUp: 100, calls: calls)
    }
    var alone = Figures("order.submit-durable", samples: times)
    alone.operationsPerSecond = 1e9 * Double(times.count) / times.reduce(0, +)
    alone.allocations = server.allocationsAtEnd()
    do {
      try Load.requireTools()
    } catch let skip as Skipped {
      note("  without load: \(skip.reason)")
      return [alone]
    }
    return [alone, try load(workspace, request)]
  }

  private static func load(_ workspace: Workspace, _ request: [UInt8]) throws -> Figures {
    try workspace.write(EchoServer.framed(request), to: "request")
    let server = try Contender.ours(["--journal", "\(workspace.path)/loaded"])
    let (path, body) = (EchoServer.accept.path, "\(workspace.path)/request")
    for _ in 0..<3 { try server.takeRound(Load(), path: path, body: body) }
    let timed = try Load(timesRequests: true).run(port: server.port, path: path, body: body)
    var figures = Figures("order.submit-durable.load", samples: timed.nanoseconds)
    figures.operationsPerSecond = server.requestsPerSecond
    figures.more = [("cpu_us", server.processorMicroseconds)]
    figures.allocations = server.allocationsAtEnd()
    return figures
  }
}
