package import JSON
internal import Units
package import Venue

/// Instruments out of GET public/instruments, and their names.
package enum OKXSymbols {
  /// `BTC-USDT` is BTCUSDT, `BTC-USDT-SWAP` is BTCUSDT-PERP, `BTC-USD-220527` is BTCUSD-220527, an
  /// option `BTC-USD-220514-22000-P` is BTCUSD-220514-22000-P.
  package static func symbol(_ venueSymbol: String) -> String {
    let parts = venueSymbol.split(separator: "-")
    guard parts.count > 1 else { return venueSymbol }
    let rest = parts.dropFirst(2).map { $0 == "SWAP" ? "PERP" : $0 }
    return ([parts[0] + parts[1]] + rest).joined(separator: "-")
  }

  static func type(of kind: InstrumentKind) -> String {
    switch kind {
    case .spot: "SPOT"
    case .perpetual: "SWAP"
    case .future: "FUTURES"
    case .option: "OPTION"
    }
  }

  /// The query of GET public/instruments that lists a symbol of ours; options are asked for by
  /// their underlying, which they all have in USD.
  package static func listing(of symbol: String) -> String {
    let parts = symbol.split(separator: "-")
    switch parts.count {
    case 2: return parts[1] == "PERP" ? "instType=SWAP" : "instType=FUTURES"
    case 4 where parts[0].hasSuffix("USD"): return "instType=OPTION&uly=\(parts[0].dropLast(3))-USD"
    default: return "instType=SPOT"
    }
  }

  /// All instruments of an answer that have their rules, numbered from zero. One that is listed
  /// before its rules are known (`preopen`) is left out.
  package static func instruments(
    _ body: [UInt8], venue: VenueID
  ) throws(JSONError) -> [Instrument] {
    var instruments: [Instrument] = []
    for listing in try JSONDocument(parsing: body).root.array("data") {
      if try listing.member("tickSz").isString("") { continue }
      instruments.append(
        try instrument(listing, InstrumentID(Int32(instruments.count)), venue))
    }
    return instruments
  }

  private static func instrument(
    _ listing: JSONValue, _ id: InstrumentID, _ venue: VenueID
  ) throws(JSONError) -> Instrument {
    let name = try listing.string("instId")
    let kind = try kind(listing)
    let tick = try decimal(listing, "tickSz")
    let lot = try decimal(listing, "lotSz")
    guard !tick.isZero, !lot.isZero else {
      throw .unexpected("\(name) has a tick or a lot of zero")
    }
    let (priceScale, quantityScale) = (tick.normalized.scale, lot.normalized.scale)
    let currencies = try currencies(listing, kind)
    var instrument = Instrument(
      id: id, venue: venue, symbol: symbol(name), venueSymbol: name, base: currencies.base,
      quote: currencies.quote, priceScale: priceScale, quantityScale: quantityScale,
      tickSize: Price(try listing.scaled("tickSz", priceScale)),
      lotSize: Quantity(try listing.scaled("lotSz", quantityScale)),
      minQuantity: Quantity(try listing.scaled("minSz", quantityScale)),
      // Larger than what 64 bits count is no bound to us.
      maxQuantity: Quantity(listing["maxLmtSz"]?.scaled(quantityScale) ?? .max),
      minNotional: .zero, isTrading: try listing.string("state") == "live")
    instrument.kind = kind
    instrument.contractSize = try contractSize(listing, kind)
    instrument.features = [.market, .limit, .ioc, .fok, .postOnly, .amend]
    // Options take no market orders.
    if kind == .option { instrument.features.remove(.market) }
    instrument.fees = fees(kind)
    return instrument
  }

  private static func kind(_ listing: JSONValue) throws(JSONError) -> InstrumentKind {
    let type = try listing.string("instType")
    switch type {
    case "SPOT", "MARGIN": return .spot
    case "SWAP": return .perpetual
    case "FUTURES": return .future
    case "OPTION": return .option
    default: throw .unexpected("an instrument's type is \(type)")
    }
  }

  /// Derivatives name their underlying, `BTC-USD`.
  private static func currencies(
    _ listing: JSONValue, _ kind: InstrumentKind
  ) throws(JSONError) -> (base: String, quote: String) {
    if kind == .spot { return (try listing.string("baseCcy"), try listing.string("quoteCcy")) }
    let underlying = try listing.string("uly")
    let parts = underlying.split(separator: "-")
    guard parts.count == 2 else { throw .unexpected("an underlying is \(underlying)") }
    return (String(parts[0]), String(parts[1]))
  }

  /// `ctVal` times `ctMult`: in the base for linear contracts and options, in the quote for
  /// inverse.
  private static func contractSize(
    _ listing: JSONValue, _ kind: InstrumentKind
  ) throws(JSONError) -> Decimal {
    guard kind != .spot else { return Decimal(units: 1, scale: 0) }
    let value = try decimal(listing, "ctVal").normalized
    let multiplier = try decimal(listing, "ctMult").normalized
    do throws(DecimalError) {
      return try Decimal(
        exactly: Int128(value.units) * Int128(multiplier.units),
        scale: value.scale + multiplier.scale)
    } catch {
      throw .unexpected("ctVal \(value) times ctMult \(multiplier) \(error.problem)")
    }
  }

  /// The schedule of regular users of the first level (okx.com/fees); options pay of the
  /// underlying.
  private static func fees(_ kind: InstrumentKind) -> FeeSchedule? {
    switch kind {
    case .spot:
      FeeSchedule(maker: Decimal(units: 8, scale: 4), taker: Decimal(units: 10, scale: 4))
    case .perpetual, .future:
      FeeSchedule(maker: Decimal(units: 2, scale: 4), taker: Decimal(units: 5, scale: 4))
    case .option: nil
    }
  }

  private static func decimal(_ listing: JSONValue, _ name: String) throws(JSONError) -> Decimal {
    let text = try listing.string(name)
    do throws(DecimalError) {
      return try Decimal(parsing: text)
    } catch {
      throw .unexpected("\(name) \(error.problem): \(text)")
    }
  }
}
