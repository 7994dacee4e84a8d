import Chrono
import Portfolio
import Seeds
import Testing
import Units
import Venue

@Suite struct `Position ledger` {
  @Test func `POS-01 positions net by symbol over venues`() throws {
    var ledger = PositionLedger()
    let other = instrument(venue: "kraken", priceScale: 1, quantityScale: 8)
    try ledger.apply(try trade("E1", .buy, "2", at: "100.00"))
    try ledger.apply(try trade("E1", .sell, "0.50000001", at: "101.0", of: other))
    try ledger.mark(Market(instrument()), at: amount("102.00"), time: start)
    try ledger.mark(Market(other), at: amount("102.0"), time: start)

    let total = try #require(try ledger.totals(by: .symbol).first)

    #expect(total.net == amount("1.49999999"))
    #expect(total.netExposure == amount("152.99999898"))
    #expect(total.grossExposure == amount("255.00000102"))
    #expect(total.unrealised == amount("3.49999999"))
    let venues = try ledger.totals(by: .venue)
    #expect(venues.map(\.group.name) == ["binance", "kraken"])
    #expect(venues.map(\.net) == [nil, nil])
  }

  @Test func `money of two quotes is never added`() throws {
    var ledger = PositionLedger()
    let cross = instrument(
      symbol: "ETHBTC", base: "ETH", quote: "BTC", priceScale: 5, quantityScale: 4)
    try ledger.apply(try trade("E1", .buy, "1", at: "100.00"))
    try ledger.apply(try trade("E1", .buy, "1", at: "0.05", of: cross))

    let totals = try ledger.totals(by: .account)

    #expect(totals.map(\.group.quote) == ["BTC", "USDT"])
    #expect(totals.map(\.grossExposure) == [amount("0.05"), amount("100")])
  }

  @Test func `a fill is counted once, across midnight too`() throws {
    var ledger = PositionLedger()
    let first = try trade("E1", .buy, "1", at: "100.00")
    try ledger.apply(first)
    try ledger.apply(try trade("E2", .buy, "1", at: "100.00", time: midnight))

    let again = try ledger.apply(first)
    #expect(again == nil)
    // Another account's fill is another fill.
    var others = first
    others.account = "second"
    let second = try ledger.apply(others)
    #expect(second != nil)
    let key = PositionKey(account: "main", market: Market(instrument()))
    #expect(ledger.position(key)?.net == amount("2"))
  }

  @Test func `the day turns for positions that no event touches`() throws {
    var ledger = PositionLedger()
    try ledger.apply(try trade("E1", .buy, "1", at: "100.00"))
    try ledger.mark(Market(instrument()), at: amount("150.00"), time: start)

    try ledger.roll(to: midnight)

    let totals = try ledger.totals(by: .account)
    #expect(totals.map(\.dayProfit) == [Amount.zero])
    #expect(totals.map(\.profit) == [amount("50")])
  }

  @Test(arguments: UInt64(1)...30)
  func `POS-02 POS-03 profit equals cash plus worth, to the last digit`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var ledger = PositionLedger()
    let market = instrument(quantityScale: 3)
    // The naive twin: money in, money out, what is held and what it is worth; at scale 18.
    var cash: Int128 = 0
    var held: Int128 = 0
    let unit: Int128 = 1_000_000_000_000_000_000
    for step in 0..<400 {
      let side: Side = Bool.random(using: &random) ? .buy : .sell
      let quantity = Int64.random(in: 1...5_000, using: &random)
      let price = Int64.random(in: 90_00...110_00, using: &random)
      let fee = Int64.random(in: -300...900, using: &random)
      let asset = ["USDT", "BTC", "BNB"].randomElement(using: &random)!
      let fill = VenueFill(
        executionID: "E\(step)", price: Price(price), quantity: Quantity(quantity),
        fee: Decimal(units: fee, scale: 6), feeAsset: asset, isMaker: true, exchangeTime: start)
      try ledger.apply(
        AccountFill(fill, orderID: "O", side: side, account: "main", instrument: market))
      cash -= Int128(side.sign) * Int128(price) * Int128(quantity) * (unit / 100_000)
      held += Int128(side.sign) * Int128(quantity) * (unit / 1_000)
      if asset == "USDT" { cash -= Int128(fee) * (unit / 1_000_000) }
      if asset == "BTC" { held -= Int128(fee) * (unit / 1_000_000) }
      let mark = Int64.random(in: 80_00...120_00, using: &random)
      try ledger.mark(
        Market(market), at: Amount(units: Int128(mark), scale: 2), time: start)

      let position = try #require(
        ledger.position(PositionKey(account: "main", market: Market(market))))
      let worth = cash + held / 100 * Int128(mark)
      #expect(try position.profit() == Amount(units: worth, scale: 18), "seed \(seed) step \(step)")
      #expect(try position.cash() == position.realised.subtracting(position.cost))
      #expect(position.net == Amount(units: held, scale: 18), "seed \(seed) step \(step)")
      #expect(
        position.net.units.signum() == position.cost.units.signum(), "seed \(seed) step \(step)")
    }
  }

  @Test func `POS-01 both legs of a self-trade count`() throws {
    var ledger = PositionLedger()
    let bought = try trade("77", .buy, "2", at: "100.00", fee: "0.2", order: "O1")
    let sold = try trade("77", .sell, "2", at: "100.00", fee: "0.2", order: "O2")

    for leg in [bought, sold, bought, sold] { try ledger.apply(leg) }

    let key = PositionKey(account: "main", market: Market(instrument()))
    #expect(ledger.position(key)?.net == .zero)
    #expect(ledger.position(key)?.fees == amount("0.4"))
  }

  @Test func `a price step that changes does not change what is held`() throws {
    var ledger = PositionLedger()
    let finer = instrument(priceScale: 4, quantityScale: 8)
    try ledger.apply(try trade("E1", .buy, "1", at: "100.00"))
    try ledger.apply(try trade("E2", .buy, "0.00000001", at: "100.0001", of: finer))

    let key = PositionKey(account: "main", market: Market(instrument()))
    #expect(ledger.position(key)?.net == amount("1.00000001"))
    #expect(ledger.position(key)?.cost == amount("100.000001000001"))
  }
}
