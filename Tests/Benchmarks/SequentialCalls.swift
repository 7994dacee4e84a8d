import Calls
import Chrono
import Contracts
import Loop
import Transport
import Wire

/// `rpc.unary.sequential`: a client calls an echo, one call after another, client and server each on
/// a core of its own: ours and ours, then gRPC C++'s own blocking client and its server.
enum SequentialCalls {
  private static let rounds = 4
  private static let calls = 1_000

  static func run() throws -> [Figures] {
    let ours = try Contender.ours()
    let cpp = Peers.grpcServer()
    var (times, peerTimes): ([Double], [Double]) = ([], [])
    for _ in 0..<rounds {
      times += try Cores.onClientCore { try echoes(port: ours.port) }
      if let cpp { peerTimes += try Peers.sequentialCalls(port: cpp.port, warmUp: 200, calls) }
    }
    var figures = Figures("rpc.unary.sequential", samples: times)
    figures.operationsPerSecond = 1e9 * Double(times.count) / times.reduce(0, +)
    figures.allocations = ours.allocationsAtEnd()
    if let cpp {
      figures.peer = cpp.name
      figures.ratio = peerTimes.median / times.median
      figures.more = [("peer_p50_ns", peerTimes.median)]
    }
    return [figures]
  }

  private static func echoes(port: Int) throws -> [Double] {
    try sequentialCalls(
      port: port, EchoServer.unary, request: EchoServer.message.encoded(), warmUp: 200, calls: calls
    )
  }
}

/// Nanoseconds of each of `calls` unary calls, one after another on one connection.
func sequentialCalls(
  port: Int, _ method: MethodDescriptor, request: [UInt8], warmUp: Int, calls: Int
) throws -> [Double] {
  try sequentialCalls(
    at: .tcp(host: "127.0.0.1", port: port), spin: .zero, method, request: request,
    warmUp: warmUp, calls: calls)
}

func sequentialCalls(
  at address: Address, spin: Duration, _ method: MethodDescriptor, request: [UInt8], warmUp: Int,
  calls: Int
) throws -> [Double] {
  try onLoop(spin: spin) { loop in
    let channel = NetworkChannel(
      to: "benchmark", at: [address], options: ChannelOptions(), loop: loop)
    defer { channel.close() }
    var samples: [Double] = []
    samples.reserveCapacity(calls)
    for number in 0..<warmUp + calls {
      var options = CallOptions()
      options.waitsForReady = true
      let start = loop.uptime
      let answer = try await channel.unary(method, request, options)
      let spent = loop.uptime.nanoseconds - start.nanoseconds
      guard !answer.isEmpty else { throw Broken("\(method.path) answered with nothing") }
      if number >= warmUp { samples.append(Double(spent)) }
    }
    return samples
  }
}
