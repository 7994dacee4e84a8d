import Chrono
import Portfolio
import Risk
import Seeds
import Testing
import Units
import Venue

/// One rule in two places: a fee in the base asset lowers the position of the portfolio and of the gate.
@Suite struct `Fees in the base asset` {
  @Test(arguments: UInt64(1)...40)
  func `POS-02 RSK-04 the gate holds what the portfolio holds, to the last digit`(seed: UInt64)
    throws
  {
    var random = SeededGenerator(seed: seed)
    let market = instrument()
    let gate = try gate()
    var position = Position(
      account: "main", market: Market(market), base: market.base, quote: market.quote,
      since: Instant(nanoseconds: 0))
    for step in 0..<200 {
      let side: Side = Bool.random(using: &random) ? .buy : .sell
      let price = Price(Int64.random(in: 1...9_999_999, using: &random))
      let quantity = Quantity(Int64.random(in: 1...10_000, using: &random))
      let scale = UInt8.random(in: 0...18, using: &random)
      let unit = powerOfTen(min(scale, 12)) ?? 1
      let fee = Decimal(units: Int64.random(in: -unit...unit, using: &random), scale: scale)
      let fill = VenueFill(
        executionID: "E\(step)", price: price, quantity: quantity, fee: fee,
        feeAsset: market.base, isMaker: true, exchangeTime: Instant(nanoseconds: 0))

      try position.apply(
        AccountFill(fill, orderID: "O", side: side, account: "main", instrument: market))
      gate.fill(market.id, side, quantity, at: price, reserved: .zero)
      gate.chargeBase(market.id, fee, at: price)

      let held = try #require(gate.exposure(of: market.id)).position
      let exact = try Amount(market.decimal(held))
        .subtracting(Amount(gate.baseFeeRest(of: market.id)))
      #expect(exact == position.net, "seed \(seed) step \(step)")
    }
  }

  @Test func `a fee in base costs today what it is worth`() throws {
    let gate = try gate()
    let market = instrument()
    gate.setReference(market.id, Price(50_000), now: Uptime(nanoseconds: 1))
    gate.fill(market.id, .buy, Quantity(1_000), at: Price(50_000), reserved: .zero)
    #expect(gate.dayProfit == .zero)

    gate.chargeBase(
      market.id, market.decimal(Quantity(1)), at: Price(50_000))

    #expect(gate.exposure(of: market.id)?.position == Quantity(999))
    let worth = try Amount(market.decimal(Price(50_000)))
      .multiplied(by: Amount(market.decimal(Quantity(1))))
    #expect(try gate.dayProfit == worth.negated())
  }

  @Test func `no fee of any scale can trap, and what is beyond reason halts`() throws {
    let market = instrument()
    for units in [Int64.min, -1, 1, .max] {
      for scale in UInt8(0)...18 {
        let gate = try gate()
        gate.fill(market.id, .buy, Quantity(1), at: Price(1), reserved: .zero)
        gate.chargeBase(market.id, Decimal(units: units, scale: scale), at: Price(.max))
        gate.charge(Decimal(units: units, scale: scale))
        #expect(gate.exposure(of: market.id) != nil)
      }
    }
  }
}
