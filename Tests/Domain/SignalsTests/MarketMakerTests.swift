import Chrono
import Orders
import Seeds
import Signals
import Testing
import Units
import Venue

private let start = Instant(nanoseconds: 1_700_000_000_000_000_000)

/// Tick 5, lot 10.
private let instrument = Instrument(
  id: InstrumentID(0), venue: VenueID("binance"), symbol: "BTCUSDT", venueSymbol: "BTCUSDT",
  base: "BTC", quote: "USDT", priceScale: 2, quantityScale: 3, tickSize: Price(5),
  lotSize: Quantity(10), minQuantity: Quantity(20), maxQuantity: Quantity(100_000),
  minNotional: Notional(1_000))

private func maker(
  _ fairPrice: MarketMakerSettings.FairPrice = .mid, skew: Int64 = 10, requote: Int64 = 2
) throws -> MarketMaker {
  MarketMaker(
    try MarketMakerSettings(
      fairPrice: fairPrice, halfSpreadTicks: 4, size: Quantity(500), maxPosition: Quantity(1_000),
      skewTicksMax: skew, requoteTicks: requote, requoteInterval: .milliseconds(100),
      bookAgeMax: .seconds(2)))
}

private func view(
  bid: Int64 = 99_95, ask: Int64 = 100_05, bidQuantity: Int64 = 1_000, askQuantity: Int64 = 1_000,
  position: Int64 = 0, quotes: [OwnQuote] = [], milliseconds: Int64 = 0, bookAge: Int64 = 0
) -> StrategyView {
  let now = start + .milliseconds(milliseconds)
  return StrategyView(
    instrument: instrument,
    top: TopOfBook(
      instrument: instrument.id, updateID: 1,
      bid: PriceLevel(price: Price(bid), quantity: Quantity(bidQuantity)),
      ask: PriceLevel(price: Price(ask), quantity: Quantity(askQuantity)),
      receivedTime: now + .milliseconds(-bookAge)),
    position: Quantity(position), quotes: quotes, now: now)
}

private func quote(
  _ id: UInt64, _ side: Side, _ price: Int64, open: Int64 = 500, filled: Int64 = 0,
  isPending: Bool = false
) -> OwnQuote {
  OwnQuote(
    orderID: OrderID(id), side: side, price: Price(price), openQuantity: Quantity(open),
    filledQuantity: Quantity(filled), isPending: isPending)
}

@Suite struct `Market maker` {
  @Test func `STR-01 quotes stand the half spread off the mid`() throws {
    var maker = try maker()

    #expect(
      maker.decide(view()) == [
        .place(.buy, Price(99_80), Quantity(500)), .place(.sell, Price(100_20), Quantity(500)),
      ])
  }

  @Test func `STR-01 a mid between two ticks rounds away from it`() throws {
    let quotes = try #require(try maker().quotes(for: view(bid: 99_95, ask: 100_00)))

    #expect(quotes.bid?.price == Price(99_75))
    #expect(quotes.ask?.price == Price(100_20))
  }

  @Test func `STR-01 long lowers both quotes, short raises both`() throws {
    let maker = try maker()
    let flat = try #require(maker.quotes(for: view()))
    let long = try #require(maker.quotes(for: view(position: 500)))
    let short = try #require(maker.quotes(for: view(position: -500)))

    #expect(long.bid?.price == flat.bid.map { Price($0.price.raw - 25) })
    // Half of ten ticks is five: the ask would be at 99.95, and stays a tick above the bid.
    #expect(long.ask?.price == Price(100_00))
    #expect(short.bid?.price == Price(100_00))
    #expect(short.ask?.price == flat.ask.map { Price($0.price.raw + 25) })
  }

  @Test func `STR-01 no quote can take the position past its maximum`() throws {
    let maker = try maker()

    #expect(maker.quotes(for: view(position: 705))?.bid?.quantity == Quantity(290))
    #expect(maker.quotes(for: view(position: 985))?.bid == nil)
    #expect(maker.quotes(for: view(position: 2_000))?.bid == nil)
    #expect(maker.quotes(for: view(position: 2_000))?.ask?.quantity == Quantity(500))
    #expect(maker.quotes(for: view(position: -1_000))?.ask == nil)
  }

  @Test func `STR-01 the microprice leans toward the thin side`() throws {
    let maker = try maker(.microprice)
    let heavyBid = try #require(
      maker.quotes(for: view(bid: 90_00, ask: 110_00, bidQuantity: 9_000, askQuantity: 1_000)))

    // 90 + 20 x 0.9 = 108.
    #expect(heavyBid.bid?.price == Price(107_80))
    #expect(heavyBid.ask?.price == Price(108_20))
    let widest = try #require(
      maker.quotes(for: view(bid: 90_00, ask: 110_00, bidQuantity: .max, askQuantity: .max)))
    #expect(widest.bid?.price == Price(99_80))
  }

  @Test func `a quote never takes liquidity`() throws {
    let maker = try maker(skew: 1_000)

    #expect(maker.quotes(for: view(position: -500))?.bid?.price == Price(100_00))
    #expect(maker.quotes(for: view(position: 500))?.ask?.price == Price(100_00))
  }

  @Test func `a stale, missing, empty or crossed book cancels every quote`() throws {
    var maker = try maker()
    let quotes = [
      quote(1, .buy, 99_80), quote(2, .sell, 100_20), quote(3, .buy, 99_75, isPending: true),
    ]
    let all: [StrategyAction] = [.cancel(OrderID(1)), .cancel(OrderID(2))]
    var missing = view(quotes: quotes)
    missing.top = nil

    #expect(maker.decide(view(quotes: quotes, bookAge: 2_001)) == all)
    #expect(maker.decide(missing) == all)
    #expect(maker.decide(view(bid: 100_05, quotes: quotes)) == all)
    #expect(maker.decide(view(askQuantity: 0, quotes: quotes)) == all)
    #expect(maker.decide(view(quotes: quotes, bookAge: 2_000)) == [])
  }

  @Test func `a quote moves only past the threshold and after the interval`() throws {
    var maker = try maker()
    _ = maker.decide(view())
    let standing = [quote(1, .buy, 99_80), quote(2, .sell, 100_20)]

    #expect(maker.decide(view(bid: 100_00, ask: 100_10, quotes: standing, milliseconds: 500)) == [])
    #expect(maker.decide(view(bid: 100_05, ask: 100_15, quotes: standing, milliseconds: 99)) == [])
    #expect(
      maker.decide(view(bid: 100_05, ask: 100_15, quotes: standing, milliseconds: 100)) == [
        .replace(OrderID(1), Price(99_90), quantity: Quantity(500)),
        .replace(OrderID(2), Price(100_30), quantity: Quantity(500)),
      ])
  }

  @Test func `a replacement counts what has filled`() throws {
    var maker = try maker()
    let standing = [quote(1, .buy, 99_50, open: 200, filled: 300), quote(2, .sell, 100_20)]

    #expect(
      maker.decide(view(quotes: standing)) == [
        .replace(OrderID(1), Price(99_80), quantity: Quantity(800))
      ])
  }

  @Test func `a pending quote is left alone and a surplus one cancelled`() throws {
    var maker = try maker()
    let standing = [
      quote(1, .buy, 90_00, isPending: true), quote(2, .sell, 100_20), quote(3, .sell, 100_40),
    ]

    #expect(maker.decide(view(quotes: standing)) == [.cancel(OrderID(3))])
  }

  @Test func `a quote never meets our own`() throws {
    var maker = try maker()
    // The market has jumped up over our old ask, whose replacement is unanswered.
    let standing = [quote(2, .sell, 100_20, isPending: true)]

    #expect(maker.decide(view(bid: 100_90, ask: 101_00, quotes: standing)) == [])
  }

  @Test func `settings that mean nothing are refused`() {
    #expect(throws: StrategySettingsFault.self) {
      try MarketMakerSettings(
        fairPrice: .mid, halfSpreadTicks: 0, size: Quantity(1), maxPosition: Quantity(1),
        skewTicksMax: 0,
        requoteTicks: 1, requoteInterval: .zero, bookAgeMax: .seconds(1))
    }
    #expect(throws: StrategySettingsFault.self) {
      try MarketMakerSettings(
        fairPrice: .mid, halfSpreadTicks: 1, size: Quantity(2), maxPosition: Quantity(1),
        skewTicksMax: 0,
        requoteTicks: 1, requoteInterval: .zero, bookAgeMax: .seconds(1))
    }
  }

  @Test(arguments: UInt64(1)...20)
  func `STR-01 in a random market inventory stays bounded and the spread is earned`(seed: UInt64)
    throws
  {
    var market = RandomMarket(seed: seed, strategy: .marketMaker(try maker(.microprice)))
    for _ in 0..<5_000 { market.step() }

    #expect(market.positionMost <= 1_000, "seed \(seed)")
    #expect(market.fills > 200, "seed \(seed)")
    #expect(market.crossings == 0, "seed \(seed)")
    #expect(market.profit > 0, "seed \(seed) earned \(market.profit)")
  }
}

/// Takers hit either side of a mean-reverting mid; the maker's quotes fill when they are reached.
private struct RandomMarket {
  var random: SeededGenerator
  var strategy: Strategy
  var quotes: [OwnQuote] = []
  var position: Int64 = 0
  var cash: Int64 = 0
  var mid: Int64 = 100_00
  var nextID: UInt64 = 1
  var milliseconds: Int64 = 0
  var positionMost: Int64 = 0
  var fills = 0
  var crossings = 0

  init(seed: UInt64, strategy: Strategy) {
    self.random = SeededGenerator(seed: seed)
    self.strategy = strategy
  }

  var profit: Int64 { cash + position * mid }

  mutating func step() {
    milliseconds += 60
    let pull = (100_00 - mid) / 100
    mid += (Int64.random(in: -3...3, using: &random) + pull) * 5
    let view = currentView()
    for action in strategy.decide(view) { carryOut(action) }
    let bid = quotes.filter { $0.side == .buy }.map(\.price.raw).max() ?? 0
    let ask = quotes.filter { $0.side == .sell }.map(\.price.raw).min() ?? .max
    if bid >= ask { crossings += 1 }
    take(Bool.random(using: &random) ? .buy : .sell)
  }

  private mutating func currentView() -> StrategyView {
    view(
      bid: mid - 5, ask: mid + 5, bidQuantity: Int64.random(in: 1...2_000, using: &random),
      askQuantity: Int64.random(in: 1...2_000, using: &random), position: position, quotes: quotes,
      milliseconds: milliseconds)
  }

  private mutating func carryOut(_ action: StrategyAction) {
    switch action {
    case .place(let side, let price, let quantity):
      quotes.append(quote(nextID, side, price.raw, open: quantity.raw))
      nextID += 1
    case .replace(let id, let price, let quantity):
      let index = quotes.firstIndex { $0.orderID == id }!
      quotes[index].price = price
      quotes[index].openQuantity = quantity - quotes[index].filledQuantity
    case .cancel(let id): quotes.removeAll { $0.orderID == id }
    }
  }

  /// A taker reaches up to eight ticks past the mid.
  private mutating func take(_ taker: Side) {
    let reach = mid + taker.sign * Int64.random(in: 0...8, using: &random) * 5
    guard
      let index = quotes.firstIndex(where: {
        $0.side != taker && (taker == .buy ? $0.price.raw <= reach : $0.price.raw >= reach)
      })
    else { return }
    let amount = min(quotes[index].openQuantity.raw, Int64.random(in: 1...50, using: &random) * 10)
    let sign = quotes[index].side.sign
    position += sign * amount
    cash -= sign * amount * quotes[index].price.raw
    quotes[index].openQuantity -= Quantity(amount)
    quotes[index].filledQuantity += Quantity(amount)
    if quotes[index].openQuantity == .zero { quotes.remove(at: index) }
    positionMost = max(positionMost, abs(position))
    fills += 1
  }
}
