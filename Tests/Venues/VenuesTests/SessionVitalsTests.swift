import Chrono
import Loop
import Security
import Synchronization
import Telemetry
import TestKit
import Testing
import Units
import Venue

@testable import Venues

@Suite struct `What a session tells of itself` {
  private func at(_ milliseconds: Int64) -> Instant {
    Instant(milliseconds: 1_700_000_000_000 + milliseconds)
  }

  @Test
  func `OBS-11 of OKX's limits of each instrument the fullest is told, by the registry's name`()
    throws
  {
    let settings = VenueSettings(
      restURL: "", streamHost: "", streamPort: 0, trust: .authorities(""), apiKey: "", secret: [],
      symbols: [])
    var budget = RequestBudget(OKXLimits.limits(["BTC-USDT", "ETH-USDT"], settings))
    let path = "/api/v5/trade/order"
    for (instrument, count) in [("BTC-USDT", 7), ("ETH-USDT", 3)] {
      for _ in 0..<count {
        #expect(budget.take(OKXLimits.costs("POST", path, instrument, 1), at: at(0)) == .granted)
      }
    }
    let told = OKXLimits.fullest(budget.uses(at: at(1)))
    #expect(Set(told.map(\.name)) == Set(OKXLimits.registered.map(\.name)))
    #expect(told.first { $0.name == "POST \(path) of an instrument" }?.used == 7)
    #expect(told.first { $0.name == "orders of the account" }?.used == 10)
    #expect(told.first { $0.name == "GET /api/v5/public/time" }?.used == 0)
  }

  @Test func `OBS-11 of Kraken's pairs the one with the least left is told`() {
    var limits = KrakenLimits()
    _ = limits.takeCall(2_00, at: at(0))
    for id in ["a", "b"] { _ = limits.takeOrder(id, .add, of: "BTC/USD", at: at(0)) }
    _ = limits.takeOrder("c", .add, of: "ETH/USD", at: at(0))
    let told = limits.uses(at: at(0))
    #expect(told.map(\.name) == KrakenLimits.registered.map(\.name))
    #expect(told.map(\.max) == [20_00, 125_00] && told.map(\.used) == [2_00, 2_00])
    // Both fall with time: by 50 and by 234 hundredths a second.
    #expect(limits.uses(at: at(1_000)).map(\.used) == [1_50, 0])
  }

  private final class ProbedClock: VenueClock {
    private let questions = Mutex(0)
    var count: Int { questions.withLock { $0 } }
    let isOnProbation = true

    func compareClocks() async throws(VenueFailure) { questions.withLock { $0 += 1 } }
  }

  /// Long before the time for the next comparison.
  @Test
  func `while the breaker is half-open the venue is asked for its time, so no order need be first`()
    async throws
  {
    try await withLoop { loop in
      let clock = ProbedClock()
      let streams = SessionStreams(loop, clock: clock, log: .silent)
      await streams.start { ([], nil) }
      #expect(await eventually { clock.count >= 2 })
      await streams.stop()
    }
  }
}
