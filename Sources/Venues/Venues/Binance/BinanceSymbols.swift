package import JSON
internal import Units
package import Venue

/// Instruments out of GET exchangeInfo, of spot and of futures.
package enum BinanceSymbols {
  /// The instruments of these symbols, numbered in their order; symbols that are not listed are
  /// left out, and keep no number.
  package static func instruments(
    _ body: [UInt8], _ market: BinanceMarket = .spot, symbols: [String], venue: VenueID
  ) throws(JSONError) -> [Instrument] {
    let listings = try JSONDocument(parsing: body).root.array("symbols")
    var found: [String: JSONValue] = [:]
    for listing in listings { found[try listing.string("symbol")] = listing }
    var instruments: [Instrument] = []
    for symbol in symbols {
      guard let listing = found[symbol] else { continue }
      instruments.append(
        try instrument(
          listing, market, symbol, id: InstrumentID(Int32(instruments.count)), venue: venue))
    }
    return instruments
  }

  private static func instrument(
    _ listing: JSONValue, _ market: BinanceMarket, _ symbol: String, id: InstrumentID,
    venue: VenueID
  ) throws(JSONError) -> Instrument {
    let filters = try listing.array("filters")
    let tick = try decimal(filters, ["PRICE_FILTER"], "tickSize")
    let lot = try decimal(filters, ["LOT_SIZE"], "stepSize")
    guard !tick.isZero, !lot.isZero else {
      throw .unexpected("\(symbol) has a tick or a lot of zero")
    }
    // Prices need what the tick shows: 0.01000000 is two places. Quantities need more than the lot:
    // orders from before a lot was made larger still stand in books, so a level of BTCUSDT, whose
    // lot has five places, is 25.42618900.
    let priceScale = tick.normalized.scale
    let most = try decimal(filters, ["LOT_SIZE"], "maxQty")
    let precision = try listing.uint64("baseAssetPrecision")
    let quantityScale = try quantityScale(lot, most: most, precision: precision)
    let status = listing["status"] ?? listing["contractStatus"]
    var instrument = Instrument(
      id: id, venue: venue, symbol: symbol, venueSymbol: symbol,
      base: try listing.string("baseAsset"), quote: try listing.string("quoteAsset"),
      priceScale: priceScale, quantityScale: quantityScale,
      tickSize: Price(try units(tick, priceScale)),
      lotSize: Quantity(try units(lot, quantityScale)),
      minQuantity: Quantity(
        try units(decimal(filters, ["LOT_SIZE"], "minQty"), quantityScale)),
      maxQuantity: Quantity(try units(most, quantityScale)),
      minNotional: Notional(
        Int128(try units(minNotional(filters), priceScale + quantityScale))),
      isTrading: status?.string == "TRADING")
    instrument.priceRange = try priceRange(filters, priceScale)
    instrument.priceBand = try priceBand(filters)
    instrument.features = features(listing)
    switch market {
    case .spot:
      // The schedule of an account without discounts (binance.com/en/fee/trading).
      instrument.fees = FeeSchedule(
        maker: Decimal(units: 1, scale: 3), taker: Decimal(units: 1, scale: 3))
    case .usdm, .coinm:
      let contract = try listing.string("contractType")
      instrument.kind = contract.hasPrefix("PERPETUAL") ? .perpetual : .future
      if market == .coinm {
        instrument.contractSize = Decimal(units: try listing.int64("contractSize"), scale: 0)
      }
    }
    return instrument
  }

  private static func priceRange(
    _ filters: JSONArray, _ scale: UInt8
  ) throws(JSONError) -> ClosedRange<Price>? {
    let least = try units(decimal(filters, ["PRICE_FILTER"], "minPrice"), scale)
    let most = try units(decimal(filters, ["PRICE_FILTER"], "maxPrice"), scale)
    // Zero switches a bound off.
    guard most > 0, least <= most else { return nil }
    return Price(least)...Price(most)
  }

  private static func priceBand(_ filters: JSONArray) throws(JSONError) -> PriceBand? {
    func has(_ type: String) -> Bool { filters.contains { $0["filterType"]?.string == type } }
    if has("PERCENT_PRICE_BY_SIDE") {
      let type = ["PERCENT_PRICE_BY_SIDE"]
      return PriceBand(
        buyLowest: try decimal(filters, type, "bidMultiplierDown"),
        buyHighest: try decimal(filters, type, "bidMultiplierUp"),
        sellLowest: try decimal(filters, type, "askMultiplierDown"),
        sellHighest: try decimal(filters, type, "askMultiplierUp"))
    }
    guard has("PERCENT_PRICE") else { return nil }
    let low = try decimal(filters, ["PERCENT_PRICE"], "multiplierDown")
    let high = try decimal(filters, ["PERCENT_PRICE"], "multiplierUp")
    return PriceBand(buyLowest: low, buyHighest: high, sellLowest: low, sellHighest: high)
  }

  private static func features(_ listing: JSONValue) -> OrderFeatures {
    let types = Set(
      (listing["orderTypes"] ?? listing["orderType"])?.array?.compactMap(\.string) ?? [])
    let times = Set(listing["timeInForce"]?.array?.compactMap(\.string) ?? ["GTC", "IOC", "FOK"])
    var features: OrderFeatures = []
    if types.contains("MARKET") { features.insert(.market) }
    if types.contains("LIMIT") { features.insert(.limit) }
    if types.contains("LIMIT_MAKER") || times.contains("GTX") { features.insert(.postOnly) }
    if times.contains("IOC") { features.insert(.ioc) }
    if times.contains("FOK") { features.insert(.fok) }
    if !types.isDisjoint(with: ["STOP_LOSS", "STOP_MARKET"]) { features.insert(.stop) }
    if !types.isDisjoint(with: ["STOP_LOSS_LIMIT", "STOP"]) { features.insert(.stopLimit) }
    if listing["icebergAllowed"]?.bool == true { features.insert(.iceberg) }
    if listing["amendAllowed"]?.bool == true { features.insert(.reduce) }
    return features
  }

  /// The asset's own precision, or the finest at which a thousand of the largest orders fit 64
  /// bits.
  private static func quantityScale(
    _ lot: Decimal, most: Decimal, precision: UInt64
  ) throws(JSONError) -> UInt8 {
    var scale = max(lot.normalized.scale, UInt8(min(precision, UInt64(Decimal.scaleMax))))
    while scale > lot.normalized.scale {
      if let units = most.units(atScale: scale), units <= Int64.max / 1_000 { break }
      scale -= 1
    }
    return scale
  }

  /// Zero when the symbol has no such filter.
  private static func minNotional(_ filters: JSONArray) throws(JSONError) -> Decimal {
    let types = ["NOTIONAL", "MIN_NOTIONAL"]
    guard filters.contains(where: { types.contains($0["filterType"]?.string ?? "") }) else {
      return .zero
    }
    for filter in filters where types.contains(filter["filterType"]?.string ?? "") {
      // Futures name it differently.
      if filter["minNotional"] == nil { return try decimal(filters, types, "notional") }
    }
    return try decimal(filters, types, "minNotional")
  }

  /// The member of the first filter of one of these types.
  private static func decimal(
    _ filters: JSONArray, _ types: [String], _ name: String
  ) throws(JSONError) -> Decimal {
    for filter in filters {
      guard let type = filter["filterType"]?.string, types.contains(type) else { continue }
      let text = try filter.string(name)
      do throws(DecimalError) {
        return try Decimal(parsing: text)
      } catch {
        throw .unexpected("\(type).\(name) \(error.problem): \(text)")
      }
    }
    throw .unexpected("no filter \(types[0])")
  }

  private static func units(_ decimal: Decimal, _ scale: UInt8) throws(JSONError) -> Int64 {
    guard let units = decimal.units(atScale: scale) else {
      throw .unexpected("\(decimal) at scale \(scale)")
    }
    return units
  }
}
