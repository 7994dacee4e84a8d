import Calls
import Chrono
import Loop
import Synchronization
import Testing
import Transport

/// Calls whose server dies at some moment of them: a stream has no deadline that would end the wait.
@Suite struct `Calls between simulated processes` {
  /// What a stream ends with whose server dies so long after it was opened.
  private func end(dyingAfter delay: Duration) -> RPCError? {
    let scheduler = SimulatedScheduler(seed: 1)
    let network = SimulatedNetwork(scheduler)
    let server = network.endpoint("server", scheduler.loop("server"))
    server.serve(EchoService().methods)
    let client = network.endpoint("client", scheduler.loop("client"))
    let channel = client.channel(to: "server", as: Identity())
    let found = Mutex<RPCError?>(nil)
    client.loop.spawn {
      do throws(RPCError) {
        let stream = try await channel.open(EchoService.silence, CallOptions())
        _ = try await stream.next()
      } catch {
        found.withLock { $0 = error }
      }
    }
    scheduler.run(until: Uptime(nanoseconds: 1))
    scheduler.run(until: Uptime(nanoseconds: 1) + delay)
    server.kill()
    scheduler.run(until: Uptime(nanoseconds: 60_000_000_000))
    return found.withLock { $0 }
  }

  @Test(arguments: [Duration.zero, .microseconds(30), .milliseconds(5)])
  func `a stream ends with its server, also when that dies before it has heard of it`(
    delay: Duration
  ) {
    #expect(end(dyingAfter: delay)?.code == .unavailable)
  }
}
