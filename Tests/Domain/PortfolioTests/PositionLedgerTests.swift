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
    try ledger.apply(
      try fill("E1", "2", at: "100.00"), side: .buy, account: "main", instrument: instrument())
    try ledger.apply(
      try fill("E1", "0.50000001", at: "101.0", of: other), side: .sell, account: "main",
      instrument: other)
    try ledger.mark(Market(instrument()), at: Price(102_00), time: start)
    try ledger.mark(Market(other), at: Price(102_0), time: start)

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
    try ledger.apply(
      try fill("E1", "1", at: "100.00"), side: .buy, account: "main", instrument: instrument())
    try ledger.apply(
      try fill("E1", "1", at: "0.05", of: cross), side: .buy, account: "main", instrument: cross)

    let totals = try ledger.totals(by: .account)

    #expect(totals.map(\.group.quote) == ["BTC", "USDT"])
    #expect(totals.map(\.grossExposure) == [amount("0.05"), amount("100")])
  }

  @Test func `a fill is counted once, across midnight too`() throws {
    var ledger = PositionLedger()
    let first = try fill("E1", "1", at: "100.00")
    try ledger.apply(first, side: .buy, account: "main", instrument: instrument())
    try ledger.apply(
      try fill("E2", "1", at: "100.00", time: midnight), side: .buy, account: "main",
      instrument: instrument())

    let again = try ledger.apply(first, side: .buy, account: "main", instrument: instrument())
    #expect(again == nil)
    // Another account's fill is another fill.
    let second = try ledger.apply(first, side: .buy, account: "second", instrument: instrument())
    #expect(second != nil)
    let key = PositionKey(account: "main", market: Market(instrument()))
    #expect(ledger.position(key)?.net == Quantity(2_00000))
  }

  @Test func `the day turns for positions that no event touches`() throws {
    var ledger = PositionLedger()
    try ledger.apply(
      try fill("E1", "1", at: "100.00"), side: .buy, account: "main", instrument: instrument())
    try ledger.mark(Market(instrument()), at: Price(150_00), time: start)

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
      try ledger.apply(fill, side: side, account: "main", instrument: market)
      cash -= Int128(side.sign) * Int128(price) * Int128(quantity) * (unit / 100_000)
      held += Int128(side.sign) * Int128(quantity) * (unit / 1_000)
      if asset == "USDT" { cash -= Int128(fee) * (unit / 1_000_000) }
      if asset == "BTC" { held -= Int128(fee) * (unit / 1_000_000) }
      let mark = Int64.random(in: 80_00...120_00, using: &random)
      try ledger.mark(Market(market), at: Price(mark), time: start)

      let position = try #require(
        ledger.position(PositionKey(account: "main", market: Market(market))))
      let worth = cash + held / 100 * Int128(mark)
      #expect(try position.profit() == Amount(units: worth, scale: 18), "seed \(seed) step \(step)")
      #expect(position.cash.raw == position.realised.raw - position.cost.raw)
      let exactHeld = Amount(units: held, scale: 18)
      let net = Amount(units: Int128(position.net.raw), scale: 3)
      #expect(try net.subtracting(position.feeDust) == exactHeld, "seed \(seed) step \(step)")
      #expect(
        position.net.raw.signum() == Int64(position.cost.raw.signum()), "seed \(seed) step \(step)")
    }
  }
}
