import Chrono
import Portfolio
import Testing
import Units
import Venue

@Suite struct `Position by average cost` {
  var position = Position(account: "main", instrument: instrument(), since: start)

  @Test mutating func `POS-02 a hand ledger agrees to the last digit`() throws {
    try position.apply(try fill("E1", "1.5", at: "50000.00", fee: "7.5"), side: .buy)
    try position.apply(try fill("E2", "0.5", at: "50100.00", fee: "2.505"), side: .buy)
    try position.apply(try fill("E3", "0.7", at: "50300.00", fee: "3.521"), side: .sell)
    try position.mark(at: Price(50_200_00), time: start)

    // Cost 75000 + 25050 = 100050 for 2; 0.7 of it cost 35017.5 and brought 35210.
    #expect(position.net == Quantity(1_30000))
    #expect(Amount(units: position.realised.raw, scale: 7) == amount("192.5"))
    #expect(Amount(units: position.cost.raw, scale: 7) == amount("65032.5"))
    #expect(position.averageEntryPrice(scale: 2)?.description == "50025.00")
    // 1.3 x 50200 - 65032.5
    #expect(Amount(units: position.unrealised.raw, scale: 7) == amount("227.5"))
    #expect(position.fees == amount("13.526"))
    #expect(try position.profit() == amount("406.474"))
  }

  @Test mutating func `a remainder of the division stays in the cost`() throws {
    try position.apply(try fill("E1", "0.00003", at: "0.10"), side: .buy)
    try position.apply(try fill("E2", "0.00001", at: "0.10"), side: .sell)
    try position.apply(try fill("E3", "0.00001", at: "0.11"), side: .buy)
    // Cost 31 for 3: closing one takes floor(31 / 3) = 10 and leaves 21.
    try position.apply(try fill("E4", "0.00001", at: "0.11"), side: .sell)

    #expect(position.cost == Notional(21))
    #expect(position.realised == Notional(1))
    #expect(position.averageEntryPrice(scale: 4)?.description == "0.1050")
  }

  @Test mutating func `POS-01 a sell beyond the position closes it and opens the other side`()
    throws
  {
    try position.apply(try fill("E1", "1", at: "100.00"), side: .buy)
    try position.apply(try fill("E2", "3", at: "110.00"), side: .sell)

    #expect(position.net == Quantity(-2_00000))
    #expect(Amount(units: position.realised.raw, scale: 7) == amount("10"))
    #expect(Amount(units: position.cost.raw, scale: 7) == amount("-220"))

    try position.apply(try fill("E3", "2", at: "105.00"), side: .buy)

    #expect(position.net == .zero)
    #expect(position.cost == .zero)
    #expect(Amount(units: position.realised.raw, scale: 7) == amount("20"))
  }

  @Test mutating func `POS-03 a mark moves unrealised profit and nothing else`() throws {
    try position.apply(try fill("E1", "2", at: "100.00"), side: .sell)
    let before = position

    try position.mark(at: Price(90_00), time: start)

    #expect(Amount(units: position.unrealised.raw, scale: 7) == amount("20"))
    #expect(position.net == before.net && position.realised == before.realised)
    #expect(position.cost == before.cost)
  }

  @Test mutating func `POS-02 a fee in the base asset leaves the position, its dust waits`() throws
  {
    // 0.1% of 0.01 is 0.00001 BTC: one step. 0.1% of 0.0125 is a step and a quarter.
    try position.apply(
      try fill("E1", "0.01", at: "50000.00", fee: "0.00001", in: "BTC"), side: .buy)
    #expect(position.net == Quantity(999))
    #expect(position.fees == amount("0.5"))
    #expect(position.feeDust == .zero)

    try position.apply(
      try fill("E2", "0.0125", at: "50000.00", fee: "0.0000125", in: "BTC"), side: .buy)
    #expect(position.net == Quantity(999 + 1249))
    #expect(position.feeDust == amount("0.0000025"))

    // Worth at 60000: 0.02248 - 0.0000025 of BTC, less the 1125 that was paid.
    try position.mark(at: Price(60_000_00), time: start)
    #expect(try position.profit() == amount("223.65"))
  }

  @Test mutating func `a fee in a third asset is kept apart`() throws {
    try position.apply(try fill("E1", "1", at: "100.00", fee: "0.001", in: "BNB"), side: .buy)
    try position.apply(try fill("E2", "1", at: "100.00", fee: "0.0005", in: "BNB"), side: .buy)

    #expect(position.otherFees == ["BNB": amount("0.0015")])
    #expect(try position.profit() == .zero)
  }

  @Test mutating func `POS-02 the day's profit counts from UTC midnight`() throws {
    try position.apply(try fill("E1", "1", at: "100.00", fee: "1"), side: .buy)
    try position.mark(at: Price(110_00), time: midnight + .nanoseconds(-1))
    #expect(try position.dayProfit() == amount("9"))

    try position.mark(at: Price(105_00), time: midnight)

    #expect(try position.dayProfit() == amount("-5"))
    #expect(try position.profit() == amount("4"))

    try position.mark(at: Price(104_00), time: start)
    #expect(try position.dayProfit() == amount("-6"))
  }

  @Test mutating func `what does not fit is a fault and changes nothing`() throws {
    let whole = VenueFill(
      executionID: "E1", price: Price(.max), quantity: Quantity(.max), fee: .zero, feeAsset: "USDT",
      isMaker: true, exchangeTime: start)
    try position.apply(whole, side: .buy)
    let before = position

    var nothing = whole
    nothing.executionID = "E2"
    nothing.quantity = .zero
    #expect(throws: PortfolioFault.overflow) { try position.apply(whole, side: .buy) }
    #expect(throws: PortfolioFault.malformedFill(executionID: "E2")) {
      try position.apply(nothing, side: .buy)
    }
    #expect(position == before)
    // The widest share: 2^126 x 2^62 needs 188 bits on the way.
    var half = whole
    half.quantity = Quantity(.max / 2)
    try position.apply(half, side: .sell)
    #expect(position.cash.raw == -Int128(Int64.max) * Int128(Int64.max / 2 + 1))
  }
}
