package import Units
package import Venue

/// A market of the simulated exchange: its rules, and the temper of its background order flow.
package struct SimulatedMarket: Sendable, Hashable {
  package var instrument: Instrument
  package var maxPrice: Price
  /// The largest limit order, as at Binance: nine million of the quote asset.
  static let maxNotional: Int64 = 9_000_000
  /// Where the fair price starts, and what it is drawn back to.
  package var anchor: Price
  /// The distance in prices between one maker's rung and the next.
  package var rung: Price
  /// The mean size of a background order.
  package var typicalQuantity: Quantity
  /// The mean rate of background events, per second of exchange time.
  package var eventsPerSecond: Int64
  package var arrivals = FlowArrivals.uniform

  package init(
    instrument: Instrument, maxPrice: Price, anchor: Price, rung: Price,
    typicalQuantity: Quantity, eventsPerSecond: Int64
  ) {
    precondition(
      instrument.quantityScale <= AssetAmount.scale,
      "\(instrument.symbol): a quantity of scale \(instrument.quantityScale) is over 10^-8")
    self.instrument = instrument
    self.maxPrice = maxPrice
    self.anchor = anchor
    self.rung = rung
    self.typicalQuantity = typicalQuantity
    self.eventsPerSecond = eventsPerSecond
  }

  package var symbol: String { instrument.venueSymbol }

  /// The same with another flow of events.
  package func with(_ arrivals: FlowArrivals) -> SimulatedMarket {
    var market = self
    market.arrivals = arrivals
    return market
  }

  /// `maxNotional` as a raw notional of this market.
  var maxNotional: Notional {
    Notional(
      Int128(Self.maxNotional) * Int128(power(instrument.priceScale))
        * Int128(power(instrument.quantityScale)))
  }

  func base(_ quantity: Quantity) -> AssetAmount {
    AssetAmount(quantity.raw * power(AssetAmount.scale - instrument.quantityScale))
  }

  /// Balances end at 10^-8: what is below is dropped, as the exchange does.
  func quote(_ notional: Notional) -> AssetAmount {
    let scale = instrument.notionalScale
    guard scale > AssetAmount.scale else {
      return AssetAmount(Int64(notional.raw * Int128(power(AssetAmount.scale - scale))))
    }
    return AssetAmount(Int64(notional.raw / Int128(power(scale - AssetAmount.scale))))
  }

  /// Eight places, as Binance writes prices: `61737.63000000`.
  func text(_ price: Price) -> String {
    decimalText(
      Int128(price.raw) * Int128(power(8 - instrument.priceScale)), scale: 8)
  }

  func text(_ quantity: Quantity) -> String { base(quantity).text }

  func text(_ notional: Notional) -> String { quote(notional).text }

  private func power(_ exponent: UInt8) -> Int64 {
    var power: Int64 = 1
    for _ in 0..<exponent { power *= 10 }
    return power
  }
}

extension SimulatedMarket {
  /// BTCUSDT around 60,000, ETHUSDT around 2,500 and SOLUSDT around 150: about 125 events a second.
  package static let standard: [SimulatedMarket] = [bitcoin, ether, solana]

  package static let bitcoin = spot(
    index: 0, base: "BTC", lotScale: 5, anchor: 60_000_00, rung: 50, typicalLots: 25_000, rate: 60)
  package static let ether = spot(
    index: 1, base: "ETH", lotScale: 4, anchor: 2_500_00, rung: 5, typicalLots: 40_000, rate: 40)
  package static let solana = spot(
    index: 2, base: "SOL", lotScale: 3, anchor: 150_00, rung: 1, typicalLots: 60_000, rate: 25)

  /// The three against USDT, as OKX lists them.
  package static let okx: [SimulatedMarket] = standard.map { market in
    var market = market
    let old = market.instrument
    market.instrument = Instrument(
      id: old.id, venue: VenueID("okx"), symbol: old.symbol,
      venueSymbol: "\(old.base)-\(old.quote)", base: old.base, quote: old.quote,
      priceScale: old.priceScale, quantityScale: old.quantityScale, tickSize: old.tickSize,
      lotSize: old.lotSize, minQuantity: old.minQuantity, maxQuantity: old.maxQuantity,
      minNotional: Notional(0))
    return market
  }

  /// The three against the dollar and the two largest against USDT, as Kraken lists them.
  package static let kraken: [SimulatedMarket] = [
    kraken(0, "BTC", priceScale: 1, anchor: 60_000_0, rung: 5, minimum: 5_000, typical: 25, 60),
    kraken(1, "ETH", priceScale: 2, anchor: 2_500_00, rung: 5, minimum: 200_000, typical: 400, 40),
    kraken(
      2, "SOL", priceScale: 2, anchor: 150_00, rung: 1, minimum: 2_000_000, typical: 6_000, 25),
    kraken(
      3, "BTC", quote: "USDT", priceScale: 1, anchor: 60_000_0, rung: 5, minimum: 5_000,
      typical: 15,
      30),
    kraken(
      4, "ETH", quote: "USDT", priceScale: 2, anchor: 2_500_00, rung: 5, minimum: 200_000,
      typical: 250, 20),
  ]

  /// `minimum` in 10^-8, `typical` in hundredths.
  private static func kraken(
    _ index: Int32, _ base: String, quote: String = "USD", priceScale: UInt8, anchor: Int64,
    rung: Int64, minimum: Int64,
    typical: Int64, _ rate: Int64
  ) -> SimulatedMarket {
    let one = powerOfTen(8)!
    let instrument = Instrument(
      id: InstrumentID(index), venue: VenueID("kraken"), symbol: base + quote,
      venueSymbol: "\(base)/\(quote)", base: base, quote: quote, priceScale: priceScale,
      quantityScale: 8, tickSize: Price(1), lotSize: Quantity(1), minQuantity: Quantity(minimum),
      maxQuantity: Quantity(9_000 * one),
      minNotional: Notional(Int128(powerOfTen(priceScale)!) * Int128(one) / 2))
    return SimulatedMarket(
      instrument: instrument, maxPrice: Price(1_000_000 * powerOfTen(priceScale)!),
      anchor: Price(anchor), rung: Price(rung), typicalQuantity: Quantity(typical * one / 100),
      eventsPerSecond: rate)
  }

  /// A market against USDT as the three are at Binance: prices of two places, lots of `lotScale`
  /// places, but quantities of eight, for orders from the days of smaller lots still stand in
  /// books.
  private static func spot(
    index: Int32, base: String, lotScale: UInt8, anchor: Int64, rung: Int64, typicalLots: Int64,
    rate: Int64
  ) -> SimulatedMarket {
    let symbol = base + "USDT"
    let (one, lot) = (powerOfTen(8)!, powerOfTen(8 - lotScale)!)
    let instrument = Instrument(
      id: InstrumentID(index), venue: VenueID("binance"), symbol: symbol, venueSymbol: symbol,
      base: base, quote: "USDT", priceScale: 2, quantityScale: 8, tickSize: Price(1),
      lotSize: Quantity(lot), minQuantity: Quantity(lot), maxQuantity: Quantity(9_000 * one),
      minNotional: Notional(5 * 100 * Int128(one)))
    return SimulatedMarket(
      instrument: instrument, maxPrice: Price(1_000_000_00), anchor: Price(anchor),
      rung: Price(rung), typicalQuantity: Quantity(typicalLots * lot), eventsPerSecond: rate)
  }
}
