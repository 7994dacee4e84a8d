import Chrono
import Portfolio
import Risk
import Seeds
import Testing
import Units
import Venue

@Suite struct `The trading day of the gate` {
  private static let noon = Instant(nanoseconds: 1_700_006_400_000_000_000 + 43_200_000_000_000)
  private static let nextDay = Instant(nanoseconds: 1_700_006_400_000_000_000 + 86_400_000_000_000)

  private func gate(maxDailyLoss: String = "1000") throws -> RiskGate {
    let gate = try RiskTests.gate(limits { $0.account.maxDailyLoss = decimal(maxDailyLoss) })
    gate.roll(to: Self.noon)
    return gate
  }

  private func mark(_ gate: RiskGate, _ price: Int64) {
    gate.setReference(btc, Price(price), now: at(0))
  }

  @Test func `RSK-08 a loss that was reached stays reached when the mark recovers`() throws {
    let gate = try gate()
    mark(gate, 225_00)
    gate.fill(btc, .buy, Quantity(8_000), at: Price(225_00), reserved: .zero)
    mark(gate, 100_00)
    #expect(gate.isLossLatched)
    mark(gate, 215_00)

    let refusal = try #require(gate.admit(buy(1), now: at(0)).refusal)
    #expect(
      gate.text(of: refusal)
        == "profit today had reached limit -1000, and is -80 now: only reducing orders pass "
        + "until an operator resets it or the day ends")
    #expect(gate.admit(sell(1), now: at(0)).isAccepted)

    gate.resetDailyLoss()
    #expect(!gate.isLossLatched)
    mark(gate, 100_00)
    gate.resetDailyLoss()
    #expect(gate.isLossLatched, "it is still there")
    gate.roll(to: Self.nextDay)
    #expect(!gate.isLossLatched && gate.dayProfit.units == 0)
  }

  @Test func `RSK-35 a reached loss passes what reduces, the worst case counted`() throws {
    let gate = try gate()
    mark(gate, 225_00)
    gate.fill(btc, .buy, Quantity(8_000), at: Price(225_00), reserved: .zero)
    mark(gate, 100_00)

    #expect(gate.admit(sell(6_000), now: at(0)).isAccepted)
    #expect(gate.admit(sell(2_001), now: at(0)).refusal?.rule == .dailyLoss)
    #expect(gate.admit(sell(2_000), now: at(0)).isAccepted)
    #expect(gate.admit(sell(1), now: at(0)).refusal?.rule == .dailyLoss)
    #expect(gate.admit(buy(1), now: at(0)).refusal?.rule == .dailyLoss)
  }

  @Test func `RSK-08 another limit judges the loss anew`() throws {
    let gate = try gate()
    mark(gate, 200_00)
    gate.fill(btc, .buy, Quantity(10_000), at: Price(200_00), reserved: .zero)
    mark(gate, 100_00)
    try gate.apply(limits { $0.account.maxDailyLoss = decimal("1000.01") })
    #expect(!gate.isLossLatched)
    try gate.apply(limits { $0.account.maxDailyLoss = decimal("999") })
    #expect(gate.isLossLatched)
  }

  @Test func `B3 what was held before today earns from the day's mark on, and nothing before`()
    throws
  {
    let gate = try gate()
    gate.inherit(btc, .buy, Quantity(5_000), reserved: .zero)
    #expect(gate.dayProfit.units == 0)
    mark(gate, 100_00)
    #expect(gate.dayProfit.units == 0 && gate.dayMark(of: btc) == Price(100_00))
    mark(gate, 101_00)
    #expect(gate.dayProfit.normalized.description == "5")

    let restarted = try self.gate()
    restarted.restore(btc, dayMark: Price(98_00))
    restarted.inherit(btc, .buy, Quantity(5_000), reserved: .zero)
    mark(restarted, 101_00)
    #expect(restarted.dayProfit.normalized.description == "15")
  }

  @Test func `B2 the day begins with the marks of its midnight`() throws {
    let gate = try gate()
    mark(gate, 100_00)
    gate.fill(btc, .buy, Quantity(1_000), at: Price(90_00), reserved: .zero)
    mark(gate, 110_00)
    #expect(gate.dayProfit.normalized.description == "20")

    gate.roll(to: Self.nextDay)
    #expect(gate.dayProfit.units == 0 && gate.dayMark(of: btc) == Price(110_00))
    mark(gate, 111_00)
    gate.fill(btc, .sell, Quantity(1_000), at: Price(112_00), reserved: .zero)
    #expect(gate.dayProfit.normalized.description == "2")
  }

  @Test(arguments: UInt64(1)...50)
  func `B3 profit after a restart is one whatever came first, prices or the journal`(
    seed: UInt64
  ) throws {
    var random = SeededGenerator(seed: seed)
    typealias Fill = (isToday: Bool, side: Side, quantity: Int64, price: Int64)
    let fills = (0..<Int.random(in: 1...30, using: &random)).map { number -> Fill in
      (
        number > 10, Bool.random(using: &random) ? .buy : .sell,
        Int64.random(in: 1...500, using: &random), Int64.random(in: 90_00...110_00, using: &random)
      )
    }
    let prices = (0..<5).map { _ in Int64.random(in: 90_00...110_00, using: &random) }
    let opening: Price? =
      Bool.random(using: &random) ? Price(Int64.random(in: 90_00...110_00, using: &random)) : nil

    /// `first`: how many of the prices come before the journal, the rest in the midst of it.
    func profit(first: Int) throws -> Int128 {
      let gate = try self.gate(maxDailyLoss: "1")
      gate.watchesLoss = false
      if let opening { gate.restore(btc, dayMark: opening) }
      for price in prices.prefix(first) { mark(gate, price) }
      var rest = prices.dropFirst(first)
      for fill in fills {
        if fill.isToday {
          gate.fill(
            btc, fill.side, Quantity(fill.quantity), at: Price(fill.price), reserved: .zero)
        } else {
          gate.inherit(btc, fill.side, Quantity(fill.quantity), reserved: .zero)
        }
        if first > 0, let price = rest.popFirst() { mark(gate, price) }
      }
      for price in rest { mark(gate, price) }
      mark(gate, 100_00)
      #expect(!gate.isLossLatched)
      gate.watchesLoss = true
      #expect(gate.isLossLatched == (gate.dayProfit.units <= -100_000))
      return Int128(gate.dayProfit.units)
    }

    let expected = try profit(first: 0)
    for first in 1...prices.count { #expect(try profit(first: first) == expected, "seed \(seed)") }
  }
}
