package import Calls
internal import Chrono
package import Contracts
internal import Units
package import Venue

extension MarketV1.Instrument {
  package init(_ instrument: Instrument) throws(RPCError) {
    self.init()
    venue = instrument.venue.name
    symbol = instrument.symbol
    venueSymbol = instrument.venueSymbol
    baseAsset = instrument.base
    quoteAsset = instrument.quote
    priceScale = UInt32(instrument.priceScale)
    quantityScale = UInt32(instrument.quantityScale)
    tickSize = instrument.wire(instrument.tickSize)
    lotSize = instrument.wire(instrument.lotSize)
    minQuantity = instrument.wire(instrument.minQuantity)
    maxQuantity = instrument.wire(instrument.maxQuantity)
    minNotional = try instrument.wire(instrument.minNotional)
    trading = instrument.isTrading
    kind =
      switch instrument.kind {
      case .spot: "SPOT"
      case .perpetual: "PERPETUAL"
      case .future: "FUTURE"
      case .option: "OPTION"
      }
    contractSize = TypeV1.Decimal(instrument.contractSize)
    if let range = instrument.priceRange {
      minPrice = instrument.wire(range.lowerBound)
      maxPrice = instrument.wire(range.upperBound)
    }
    if let band = instrument.priceBand { priceBand = MarketV1.PriceBand(band) }
    let has = instrument.features
    if has.contains(.market) { orderTypes.append(.market) }
    if has.contains(.limit) {
      orderTypes.append(.limit)
      timesInForce.append(.gtc)
    }
    if has.contains(.ioc) { timesInForce.append(.ioc) }
    if has.contains(.fok) { timesInForce.append(.fok) }
    if has.contains(.postOnly) { timesInForce.append(.postOnly) }
    features = OrderFeatures.named.filter { has.contains($0.feature) }.map(\.name)
    if let fees = instrument.fees {
      makerFee = TypeV1.Decimal(fees.maker)
      takerFee = TypeV1.Decimal(fees.taker)
    }
  }
}

extension OrderFeatures {
  /// Those that the contract names; the others are order types and times in force there.
  fileprivate static let named: [(feature: OrderFeatures, name: String)] = [
    (.stop, "STOP"), (.stopLimit, "STOP_LIMIT"), (.iceberg, "ICEBERG"), (.amend, "AMEND"),
    (.reduce, "REDUCE"),
  ]

  fileprivate init(_ types: [TypeV1.OrderType], _ times: [TypeV1.TimeInForce]) {
    self = []
    if types.contains(.market) { insert(.market) }
    if times.contains(.gtc) { insert(.limit) }
    if times.contains(.ioc) { insert(.ioc) }
    if times.contains(.fok) { insert(.fok) }
    if times.contains(.postOnly) { insert(.postOnly) }
  }
}

extension MarketV1.PriceBand {
  init(_ band: PriceBand) {
    self.init()
    buyLowest = TypeV1.Decimal(band.buyLowest)
    buyHighest = TypeV1.Decimal(band.buyHighest)
    sellLowest = TypeV1.Decimal(band.sellLowest)
    sellHighest = TypeV1.Decimal(band.sellHighest)
  }
}

extension Instrument {
  /// An instrument as a neighbour describes it, under this process's own number.
  package init(_ wire: MarketV1.Instrument, id: InstrumentID) throws(RPCError) {
    guard wire.priceScale <= 18, wire.quantityScale <= 18 else {
      throw RPCError(.invalidArgument, "\(wire.symbol) has scales over 18")
    }
    self.init(
      id: id, venue: VenueID(wire.venue), symbol: wire.symbol, venueSymbol: wire.venueSymbol,
      base: wire.baseAsset, quote: wire.quoteAsset, priceScale: UInt8(wire.priceScale),
      quantityScale: UInt8(wire.quantityScale), tickSize: Price(1), lotSize: Quantity(1),
      minQuantity: .zero, maxQuantity: Quantity(.max), minNotional: .zero, isTrading: wire.trading)
    tickSize = Price(try raw(wire.tickSize, scale: priceScale) ?? 1)
    lotSize = Quantity(try raw(wire.lotSize, scale: quantityScale) ?? 1)
    minQuantity = Quantity(try raw(wire.minQuantity, scale: quantityScale) ?? 0)
    maxQuantity = Quantity(try raw(wire.maxQuantity, scale: quantityScale) ?? .max)
    minNotional = Notional(Int128(try raw(wire.minNotional, scale: notionalScale) ?? 0))
    if !wire.orderTypes.isEmpty || !wire.timesInForce.isEmpty {
      features = OrderFeatures(wire.orderTypes, wire.timesInForce)
    }
    for (feature, name) in OrderFeatures.named where wire.features.contains(name) {
      features.insert(feature)
    }
    guard tickSize > .zero, lotSize > .zero else {
      throw RPCError(.invalidArgument, "\(wire.symbol) has no tick size or lot size")
    }
  }
}

extension MarketV1.OrderLimit {
  package init(_ limit: OrderLimit) {
    self.init()
    name = limit.name
    ordersMax = UInt32(clamping: limit.ordersMax)
    perInstrument = limit.isPerInstrument
    switch limit.rule {
    case .window(let length):
      windowMs = UInt32(clamping: max(1, length.wholeNanoseconds / 1_000_000))
    case .decay(let perSecond): decayHundredths = UInt32(clamping: perSecond)
    }
  }
}

extension OrderLimit {
  package init(_ wire: MarketV1.OrderLimit) throws(RPCError) {
    guard wire.ordersMax > 0, wire.windowMs > 0 || wire.decayHundredths > 0 else {
      throw .invalid("orderLimits", "a limit needs a number of orders, and a window or a decay")
    }
    self.init(
      name: wire.name, ordersMax: Int(wire.ordersMax),
      rule: wire.windowMs > 0
        ? .window(.milliseconds(Int64(wire.windowMs)))
        : .decay(hundredthsPerSecond: Int(wire.decayHundredths)),
      isPerInstrument: wire.perInstrument)
  }
}
