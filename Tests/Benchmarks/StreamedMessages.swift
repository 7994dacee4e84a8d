import Calls
import Chrono
import Contracts
import Loop
import Transport
import Wire

/// `rpc.streaming`: a server streams 32-byte messages to our client as fast as that reads them, each
/// on a core of its own; gRPC C++ streams to the same client. A sample is a thousand messages.
enum StreamedMessages {
  private static let rounds = 3
  private static let messages = 100_000
  private static let peerMessages = 30_000
  private static let batch = 1_000

  static func run() throws -> [Figures] {
    let ours = try Contender.ours()
    let cpp = Peers.grpcServer()
    var (samples, peerSamples): ([Double], [Double]) = ([], [])
    var (processor, peerProcessor) = (0.0, 0.0)
    for _ in 0..<rounds {
      let before = ours.child.processorMicroseconds
      samples += try Cores.onClientCore { try read(port: ours.port, messages) }
      processor += ours.child.processorMicroseconds - before
      guard let cpp else { continue }
      let peerBefore = cpp.child.processorMicroseconds
      peerSamples += try Cores.onClientCore { try read(port: cpp.port, peerMessages) }
      peerProcessor += cpp.child.processorMicroseconds - peerBefore
    }
    var figures = Figures("rpc.streaming", samples: samples)
    figures.operationsPerSecond = 1e9 * Double(samples.count) / samples.reduce(0, +)
    figures.allocations = ours.allocationsAtEnd()
    figures.more = [("cpu_us", processor / Double(rounds * messages))]
    if let cpp {
      figures.peer = cpp.name
      figures.ratio = peerSamples.median / samples.median
      figures.more += [
        ("peer_p50_ns", peerSamples.median),
        ("peer_cpu_us", peerProcessor / Double(rounds * peerMessages)),
      ]
    }
    return [figures]
  }

  /// Nanoseconds per message, of each batch.
  private static func read(port: Int, _ count: Int) throws -> [Double] {
    try onLoop { loop in
      let channel = plainChannel(port, loop)
      defer { channel.close() }
      var options = CallOptions()
      options.waitsForReady = true
      let request = GoogleProtobuf.Int64Value.with { $0.value = Int64(count) }
      let call = try await ClientCall<GoogleProtobuf.Int64Value, GoogleProtobuf.StringValue>
        .serverStreaming(channel, EchoServer.stream, request, options)
      var samples: [Double] = []
      var received = 0
      var start = loop.uptime
      while let message = try await call.next() {
        guard message == EchoServer.message else { throw Broken("a streamed message differs") }
        received += 1
        guard received % batch == 0 else { continue }
        let now = loop.uptime
        samples.append(Double(now.nanoseconds - start.nanoseconds) / Double(batch))
        start = now
      }
      guard received == count else { throw Broken("\(received) of \(count) messages came") }
      return samples
    }
  }
}
