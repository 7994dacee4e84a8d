import Chrono
import Testing

@testable import Venues

@Suite struct `Request budget` {
  private func at(_ milliseconds: Int64) -> Instant {
    Instant(milliseconds: 60_000_000 + milliseconds)
  }

  private func cost(_ amount: Int, _ limit: String = "weight") -> [RequestBudget.Cost] {
    [RequestBudget.Cost(limit, amount)]
  }

  private func remaining(
    _ limit: String, of budget: inout RequestBudget, at now: Instant
  ) -> Int? {
    budget.uses(at: now).first { $0.name == limit }?.remaining
  }

  @Test(arguments: [Int.min, -1, Int.max])
  func `a venue's numbers that make no sense stop nobody for ever, and trap nothing`(_ told: Int) {
    var budget = RequestBudget([RequestLimit("weight", max: 100, .window(.seconds(60)))])
    budget.observe(told, of: "weight", at: at(0))
    budget.block(for: .seconds(told), at: at(0))

    let week: Int64 = 7 * 86_400_000
    #expect(budget.take(cost(1), at: at(week)) == .granted)
  }

  @Test(arguments: [408, 409, 425, 499])
  func `OMS-14 a status of somebody between is no refusal of the venue's`(_ status: Int) {
    let failures = [
      BinanceErrors.failure(status: status, body: Array("<html>".utf8)),
      KrakenErrors.failure(status: status, errors: []),
      OKXErrors.failure(status: status, code: "", text: ""),
    ]
    for failure in failures {
      guard case .unknown = failure else {
        Issue.record("\(status) is taken for \(failure)")
        continue
      }
    }
  }

  @Test(arguments: ["EDatabase:Internal error", "EService:Internal error", "EGeneral:Timeout"])
  func `OMS-14 what Kraken says of itself is no refusal of an order`(_ error: String) {
    guard case .unknown = KrakenErrors.failure(status: 200, errors: [error]) else {
      Issue.record("\(error) is taken for a refusal")
      return
    }
  }

  @Test func `KS-01 cancels have a part of a shared limit that nothing else takes`() {
    var weight = RequestLimit("weight", max: 100, .window(.seconds(60)))
    weight.keptForCancels = 5
    var budget = RequestBudget([weight])
    #expect(budget.take(cost(95), at: at(0)) == .granted)

    guard case .wait = budget.take(cost(1), at: at(0)) else {
      Issue.record("the part for cancels was given away")
      return
    }
    #expect(budget.take(cost(5), isCancel: true, at: at(0)) == .granted)
  }

  @Test func `OBS-11 every limit tells what is taken of it and what is left`() {
    var budget = RequestBudget([
      RequestLimit("weight", max: 100, .window(.seconds(60))),
      RequestLimit("calls", max: 20, .decay(perSecond: 2)),
    ])
    #expect(budget.take(cost(60) + cost(15, "calls"), at: at(0)) == .granted)
    #expect(
      budget.uses(at: at(2_000)) == [
        LimitUse("weight", max: 100, used: 60), LimitUse("calls", max: 20, used: 11),
      ])
    budget.block(for: .seconds(5), at: at(3_000))
    #expect(budget.uses(at: at(3_000)).map(\.remaining) == [0, 0])
    #expect(budget.uses(at: at(60_000)).map(\.used) == [0, 0])
  }

  @Test func `a window is filled and then waits for the next one`() {
    var budget = RequestBudget([RequestLimit("weight", max: 100, .window(.seconds(60)))])

    #expect(budget.take(cost(60), at: at(1_000)) == .granted)
    #expect(budget.take(cost(41), at: at(2_000)) == .wait(.seconds(58), limit: "weight"))
    #expect(budget.take(cost(40), at: at(2_000)) == .granted)
    #expect(remaining("weight", of: &budget, at: at(59_999)) == 0)
    #expect(budget.take(cost(100), at: at(60_000)) == .granted)
  }

  @Test func `a refused request takes nothing of any limit`() {
    var budget = RequestBudget([
      RequestLimit("weight", max: 100, .window(.seconds(60))),
      RequestLimit("orders", max: 1, .window(.seconds(10))),
    ])
    let order = cost(10) + cost(1, "orders")

    #expect(budget.take(order, at: at(0)) == .granted)
    #expect(budget.take(order, at: at(4_000)) == .wait(.seconds(6), limit: "orders"))
    #expect(remaining("weight", of: &budget, at: at(4_000)) == 90)
    #expect(budget.take(order, at: at(10_000)) == .granted)
    #expect(remaining("weight", of: &budget, at: at(10_000)) == 80)
  }

  @Test func `the venue's own count wins when it is higher`() {
    var budget = RequestBudget([RequestLimit("weight", max: 100, .window(.seconds(60)))])
    _ = budget.take(cost(10), at: at(0))

    budget.observe(5, of: "weight", at: at(1))
    #expect(remaining("weight", of: &budget, at: at(1)) == 90)
    budget.observe(95, of: "weight", at: at(2))
    #expect(budget.take(cost(6), at: at(3)) == .wait(.milliseconds(59_997), limit: "weight"))
    #expect(remaining("weight", of: &budget, at: at(60_000)) == 100)
  }

  @Test func `a ban stops everything until it is over`() {
    var budget = RequestBudget([RequestLimit("weight", max: 100, .window(.seconds(60)))])

    budget.block(for: .seconds(120), at: at(0))
    budget.block(for: .seconds(1), at: at(0))

    #expect(budget.take([], at: at(1_000)) == .wait(.seconds(119), limit: "blocked by the venue"))
    #expect(remaining("weight", of: &budget, at: at(1_000)) == 0)
    #expect(budget.take(cost(1), at: at(120_000)) == .granted)
  }

  @Test func `a counter that decays lets through what has decayed`() {
    var budget = RequestBudget([RequestLimit("weight", max: 20, .decay(perSecond: 2))])

    #expect(budget.take(cost(20), at: at(0)) == .granted)
    #expect(budget.take(cost(1), at: at(0)) == .wait(.milliseconds(500), limit: "weight"))
    #expect(budget.take(cost(1), at: at(500)) == .granted)
    #expect(remaining("weight", of: &budget, at: at(10_500)) == 20)
  }

  @Test func `what is more than the whole limit fits an unused one only`() {
    var budget = RequestBudget([RequestLimit("weight", max: 10, .window(.seconds(60)))])

    #expect(budget.take(cost(1), at: at(0)) == .granted)
    #expect(budget.take(cost(50), at: at(0)) == .wait(.seconds(60), limit: "weight"))
    #expect(budget.take(cost(50), at: at(60_000)) == .granted)
  }
}

@Suite struct `Clock offset` {
  private func at(_ milliseconds: Int64) -> Instant {
    Instant(milliseconds: 60_000_000 + milliseconds)
  }

  @Test func `CLK-04 the answer with the least round trip counts`() {
    var clock = ClockOffset()
    #expect(clock.offset == nil && clock.errorMax == nil)

    // The venue is two seconds ahead; the first answer took most of its time on the way back.
    clock.sample(sent: at(0), received: at(400), venue: at(2_010))
    #expect(clock.offset == .milliseconds(1_810))
    clock.sample(sent: at(1_000), received: at(1_010), venue: at(3_005))
    clock.sample(sent: at(2_000), received: at(2_300), venue: at(4_290))

    #expect(clock.offset == .seconds(2))
    #expect(clock.errorMax == .milliseconds(5))
  }

  @Test func `CLK-04 an answer to the microsecond counts before one of whole seconds`() {
    var clock = ClockOffset()
    // 308 ms off, as the middle of the second is told.
    clock.sample(sent: at(0), received: at(2), venue: at(309), grain: .milliseconds(500))
    #expect(clock.offset == .milliseconds(308) && clock.errorMax == .milliseconds(501))

    // 3 ms there, 5 ms at the venue, 1 ms back; the venue is 20 ms ahead.
    clock.sample(
      ClockReading(
        sent: at(1_000), received: at(1_009), venueReceived: at(1_023), venueSent: at(1_028)))
    #expect(clock.offset == .milliseconds(21) && clock.errorMax == .milliseconds(2))
    // An answer that left before its question came says nothing.
    clock.sample(
      ClockReading(
        sent: at(2_000), received: at(2_001), venueReceived: at(2_030), venueSent: at(2_020)))
    #expect(clock.errorMax == .milliseconds(2))
  }

  @Test func `old answers give way, and what was known can be forgotten`() {
    var clock = ClockOffset()
    clock.sample(sent: at(0), received: at(2), venue: at(1))
    #expect(clock.offset == .zero)

    for index in 0..<8 {
      let sent = Int64(index) * 1_000
      clock.sample(sent: at(sent), received: at(sent + 10), venue: at(sent + 505))
    }
    #expect(clock.offset == .milliseconds(500))

    // Our own clock was set back in between: that says nothing.
    clock.sample(sent: at(9_000), received: at(8_000), venue: at(0))
    #expect(clock.offset == .milliseconds(500))
    clock.forget()
    #expect(clock.offset == nil)
  }
}

@Suite struct `Waiting before the next attempt` {
  @Test func `doubles from the least to the most, cut by up to a half, and starts again`() {
    var delay = ReconnectDelay(from: .milliseconds(100), to: .seconds(2), seed: 5)
    let whole: [Int64] = [100, 200, 400, 800, 1_600, 2_000, 2_000]
    for milliseconds in whole {
      let wait = delay.take()
      #expect(wait <= .milliseconds(milliseconds) && wait > .milliseconds(milliseconds) / 2)
    }
    delay.proven()
    #expect(delay.take() <= .milliseconds(100))
  }

  @Test func `is the same for the same seed and another for another`() {
    func waits(_ seed: UInt64) -> [Duration] {
      var delay = ReconnectDelay(from: .milliseconds(100), to: .seconds(10), seed: seed)
      return (0..<10).map { _ in delay.take() }
    }
    #expect(waits(1) == waits(1))
    #expect(waits(1) != waits(2))
  }

  @Test func `for a book grows with the answers that did not help`() {
    let pause = ResyncPause()
    #expect(pause.after(failures: 0) == .zero)
    #expect(pause.after(failures: 1) == .milliseconds(100))
    #expect(pause.after(failures: 3) == .milliseconds(400))
    #expect(pause.after(failures: 1_000_000) == .seconds(30))
  }
}
