import Chrono
import Portfolio
import Seeds
import Testing
import Units
import Venue

@Suite struct `Position by average cost` {
  var position = Position(
    account: "main", market: Market(instrument()), base: "BTC", quote: "USDT", since: start)

  @Test mutating func `POS-02 a hand ledger agrees to the last digit`() throws {
    try position.apply(try trade("E1", .buy, "1.5", at: "50000.00", fee: "7.5"))
    try position.apply(try trade("E2", .buy, "0.5", at: "50100.00", fee: "2.505"))
    try position.apply(try trade("E3", .sell, "0.7", at: "50300.00", fee: "3.521"))
    try position.mark(at: amount("50200.00"), time: start)

    // Cost 75000 + 25050 = 100050 for 2; 0.7 of it cost 35017.5 and brought 35210.
    #expect(position.net == amount("1.3"))
    #expect(position.realised == amount("192.5"))
    #expect(position.cost == amount("65032.5"))
    #expect(position.averageEntryPrice(scale: 2)?.description == "50025.00")
    // 1.3 x 50200 - 65032.5
    #expect(try position.unrealised() == amount("227.5"))
    #expect(position.fees == amount("13.526"))
    #expect(try position.profit() == amount("406.474"))
  }

  @Test mutating func `a remainder of the division stays in the cost`() throws {
    try position.apply(try trade("E1", .buy, "0.00003", at: "0.10"))
    try position.apply(try trade("E2", .sell, "0.00001", at: "0.10"))
    try position.apply(try trade("E3", .buy, "0.00001", at: "0.11"))
    // Cost 31 for 3: closing one takes floor(31 / 3) = 10 and leaves 21.
    try position.apply(try trade("E4", .sell, "0.00001", at: "0.11"))

    #expect(position.cost == amount("0.0000021"))
    #expect(position.realised == amount("0.0000001"))
    #expect(position.averageEntryPrice(scale: 4)?.description == "0.1050")
  }

  @Test mutating func `POS-01 a sell beyond the position closes it and opens the other side`()
    throws
  {
    try position.apply(try trade("E1", .buy, "1", at: "100.00"))
    try position.apply(try trade("E2", .sell, "3", at: "110.00"))

    #expect(position.net == amount("-2"))
    #expect(position.realised == amount("10"))
    #expect(position.cost == amount("-220"))

    try position.apply(try trade("E3", .buy, "2", at: "105.00"))

    #expect(position.net == .zero)
    #expect(position.cost == .zero)
    #expect(position.realised == amount("20"))
  }

  @Test mutating func `POS-03 a mark moves unrealised profit and nothing else`() throws {
    try position.apply(try trade("E1", .sell, "2", at: "100.00"))
    let before = position

    try position.mark(at: amount("90.00"), time: start)

    #expect(try position.unrealised() == amount("20"))
    #expect(position.net == before.net && position.realised == before.realised)
    #expect(position.cost == before.cost)
  }

  @Test mutating func `POS-02 a fee in the base asset lowers the position to the last digit`()
    throws
  {
    try position.apply(
      try trade("E1", .buy, "0.01", at: "50000.00", fee: "0.00001", in: "BTC"))
    #expect(position.net == amount("0.00999"))
    #expect(position.fees == amount("0.5"))

    // 0.1% of 0.0125 is a quantity step and a quarter: none of it is rounded to the lot.
    try position.apply(
      try trade("E2", .buy, "0.0125", at: "50000.00", fee: "0.0000125", in: "BTC"))
    #expect(position.net == amount("0.0224775"))
    #expect(position.baseFees == amount("0.0000225"))

    // Worth at 60000: 0.0224775 of BTC, less the 1125 that was paid.
    try position.mark(at: amount("60000"), time: start)
    #expect(try position.profit() == amount("223.65"))
  }

  @Test mutating func `POS-02 a rebate in the base asset raises the position`() throws {
    try position.apply(
      try trade("E1", .sell, "1", at: "100.00", fee: "-0.0000001", in: "BTC"))

    #expect(position.net == amount("-0.9999999"))
    #expect(try position.profit() == amount("0.00001"))
  }

  @Test mutating func `POS-02 a base fee beyond what is held turns the position`() throws {
    try position.apply(try trade("E1", .buy, "0.5", at: "100.00"))
    try position.apply(
      try trade("E2", .sell, "0.5", at: "100.00", fee: "0.001", in: "BTC"))

    #expect(position.net == amount("-0.001"))
    #expect(position.cost == amount("-0.1"))
    #expect(try position.profit() == amount("-0.1"))
  }

  @Test mutating func `a fee in a third asset is kept apart`() throws {
    try position.apply(try trade("E1", .buy, "1", at: "100.00", fee: "0.001", in: "BNB"))
    try position.apply(try trade("E2", .buy, "1", at: "100.00", fee: "0.0005", in: "BNB"))

    #expect(position.otherFees == ["BNB": amount("0.0015")])
    #expect(try position.profit() == .zero)
  }

  @Test mutating func `POS-02 the day's profit counts from UTC midnight`() throws {
    try position.apply(try trade("E1", .buy, "1", at: "100.00", fee: "1"))
    try position.mark(at: amount("110.00"), time: midnight + .nanoseconds(-1))
    #expect(try position.dayProfit() == amount("9"))

    try position.mark(at: amount("105.00"), time: midnight)

    #expect(try position.dayProfit() == amount("-5"))
    #expect(try position.profit() == amount("4"))

    try position.mark(at: amount("104.00"), time: start)
    #expect(try position.dayProfit() == amount("-6"))
  }

  @Test mutating func `what does not fit is a fault and changes nothing`() throws {
    var whole = try trade("E1", .buy, "1", at: "1")
    whole.price = Decimal(units: .max, scale: 2)
    whole.quantity = Decimal(units: .max, scale: 5)
    try position.apply(whole)
    try position.apply(whole)
    let before = position

    var nothing = whole
    nothing.executionID = "E2"
    nothing.quantity = .zero
    #expect(throws: PortfolioFault.overflow) { try position.apply(whole) }
    #expect(throws: PortfolioFault.malformedFill(executionID: "E2")) {
      try position.apply(nothing)
    }
    #expect(position == before)
    // The widest share: 2^127 x 2^62 needs 189 bits on the way.
    var half = whole
    half.side = .sell
    half.quantity = Decimal(units: .max / 2, scale: 5)
    try position.apply(half)
    let left = Int128(Int64.max) * 2 - Int128(Int64.max / 2)
    #expect(try position.cash() == Amount(units: -Int128(Int64.max) * left, scale: 7))
  }

  @Test func `any fee of any scale in any asset is counted or refused, and never traps`() throws {
    for seed in UInt64(1)...40 {
      var random = SeededGenerator(seed: seed)
      var position = Position(
        account: "main", market: Market(instrument()), base: "BTC", quote: "USDT", since: start)
      for step in 0..<100 {
        var next = try trade("E\(step)", .buy, "1", at: "1")
        next.side = Bool.random(using: &random) ? .buy : .sell
        next.price = anyDecimal(&random, least: 1)
        next.quantity = anyDecimal(&random, least: 1)
        next.fee = anyDecimal(&random, least: .min)
        next.feeAsset = ["BTC", "USDT", "BNB", ""].randomElement(using: &random)!
        let before = position
        do throws(PortfolioFault) {
          try position.apply(next)
          try position.mark(at: Amount(anyDecimal(&random, least: 1)), time: start)
        } catch {
          // What was counted before the fault is whole: a replay comes to the same.
          if position == before { continue }
        }
        _ = position.averageEntryPrice(scale: 18)
        #expect(position.net.decimalCutOff() != nil || position.net.units.magnitude > 1 << 60)
        do throws(PortfolioFault) {
          #expect(
            try position.cash() == position.realised.subtracting(position.cost),
            "seed \(seed) step \(step)")
        } catch { #expect(error == .overflow) }
      }
    }
  }

  private func anyDecimal(_ random: inout SeededGenerator, least: Int64) -> Decimal {
    let units =
      switch Int.random(in: 0..<4, using: &random) {
      case 0: Int64.random(in: max(least, -9)...9, using: &random)
      case 1: Int64.random(in: max(least, -1_000_000)...1_000_000, using: &random)
      case 2: [Int64.max, least, Int64.max / 3].randomElement(using: &random)!
      default: Int64.random(in: least...(.max), using: &random)
      }
    return Decimal(units: units, scale: UInt8.random(in: 0...18, using: &random))
  }
}
