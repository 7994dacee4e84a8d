import Chrono
import Testing

@testable import Transport

@Suite struct `Backoff between connections` {
  @Test func `gRPC's numbers: 1 s, times 1.6, a fifth either way, at most 120 s`() {
    var attempts = ConnectionAttempts(ConnectionBackoff())
    var now = Uptime(nanoseconds: 1_000)
    var waits: [Double] = []
    for _ in 0..<14 {
      attempts.began(now, chance: 0.5)
      attempts.failed()
      waits.append(Double((attempts.notBefore - now).wholeNanoseconds) / 1e9)
      now = attempts.notBefore
    }
    #expect(waits[0] == 1)
    for (before, after) in zip(waits, waits.dropFirst()) {
      #expect(abs(after - min(120, before * 1.6)) < 0.001)
    }
    #expect(abs(waits.last! - 120) < 0.001)
    #expect(attempts.failures == 14)
  }

  @Test func `chance spreads it, but not the first`() {
    for (chance, expected) in [(0.0, 1.28), (0.999_999, 1.92)] {
      var attempts = ConnectionAttempts(ConnectionBackoff())
      let now = Uptime(nanoseconds: 0)
      attempts.began(now, chance: chance)
      #expect(attempts.notBefore - now == .seconds(1))
      attempts.began(now, chance: chance)
      let wait = Double((attempts.notBefore - now).wholeNanoseconds) / 1e9
      #expect(abs(wait - expected) < 0.001)
    }
  }

  @Test func `it counts from the start of an attempt, and a success begins anew`() {
    var attempts = ConnectionAttempts(ConnectionBackoff())
    let start = Uptime(nanoseconds: 0)
    attempts.began(start, chance: 0.5)
    attempts.failed()
    // The attempt itself took 5 s: the next may begin at once.
    #expect(attempts.notBefore < start + .seconds(5))
    attempts.reset()
    #expect(attempts.failures == 0)
    attempts.began(start + .seconds(9), chance: 0.5)
    #expect(attempts.notBefore == start + .seconds(10))
  }
}
