import CAllocationCount
import Calls
import Loop
import Synchronization
import TestKit
import Testing
import Transport

/// How often a server's loop allocates for a call, without optimisation; `rpc.unary` of the
/// benchmarks says what a release does (5).
@Suite struct `Calls and the heap` {
  /// In a debug build most allocations are the compiler's: closures, existentials, boxes. What this
  /// holds is that nobody adds to them unawares, and that their number does not grow with the calls.
  private static let allocationsMax = 90.0

  private static func method(_ seen: Seen) -> ServerMethod {
    ServerMethod(
      EchoService.unary,
      .unary { request, _ in
        let count = allocation_count()
        seen.counts.withLock { $0.append(count) }
        return request
      })
  }

  @Test func `RPC-01 a unary call in steady state allocates so much and no more`() async throws {
    guard allocation_count() >= 0 else { return }
    let (calls, warmUp) = (2_000, 500)
    let seen = Seen()
    seen.counts.withLock { $0.reserveCapacity(2 * (calls + warmUp)) }
    try await withLoop { serverLoop in
      try await withLoop { clientLoop in
        var configuration = ServerConfiguration(
          address: .tcp(host: "127.0.0.1", port: 0), methods: [Self.method(seen)])
        configuration.plaintextPolicy = .everything
        let server = Server(configuration, loop: serverLoop)
        let address = try await server.start()
        let channel = NetworkChannel(
          to: "echo", at: [address], options: ChannelOptions(), loop: clientLoop)

        for _ in 0..<calls + warmUp {
          _ = try await channel.unary(EchoService.unary, [1, 2, 3], CallOptions())
        }

        channel.close()
        await server.stop()
      }
    }

    let counts = seen.counts.withLock { $0 }
    let middle = warmUp + calls / 2
    let early = Double(counts[middle] - counts[warmUp]) / Double(middle - warmUp)
    let late = Double(counts[counts.count - 1] - counts[middle]) / Double(counts.count - 1 - middle)
    #expect(late <= Self.allocationsMax, "\(late) allocations a call")
    #expect(late <= early + 1, "\(early) and then \(late)")
    #expect(late > 4, "the count itself works")
  }

  private final class Seen: Sendable {
    let counts = Mutex<[Int64]>([])
  }
}
