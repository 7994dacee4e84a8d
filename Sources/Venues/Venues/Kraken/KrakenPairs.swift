package import JSON
internal import Units
package import Venue

/// Instruments out of GET /0/public/AssetPairs.
package enum KrakenPairs {
  /// Bodies from before 2022 have no tick, status or least cost: the tick is then the last place,
  /// the pair is open, and there is no least cost.
  ///
  /// The instruments of these symbols, numbered in their order; symbols that are not listed are
  /// left out, and keep no number.
  package static func instruments(
    _ body: [UInt8], symbols: [String], venue: VenueID
  ) throws(JSONError) -> [Instrument] {
    let root = try JSONDocument(parsing: body).root
    guard try root.array("error").isEmpty else {
      throw .unexpected("AssetPairs: \(root["error"]?.description ?? "")")
    }
    var found: [String: JSONValue] = [:]
    for member in try root.object("result") {
      // Dark-pool pairs have no such name.
      guard let name = member.value["wsname"]?.string, let pair = KrakenAssets.pair(name) else {
        continue
      }
      found[pair.base + pair.quote] = member.value
    }
    var instruments: [Instrument] = []
    for symbol in symbols {
      guard let listing = found[symbol] else { continue }
      let id = InstrumentID(Int32(instruments.count))
      instruments.append(try instrument(listing, symbol, id: id, venue: venue))
    }
    return instruments
  }

  private static func instrument(
    _ listing: JSONValue, _ symbol: String, id: InstrumentID, venue: VenueID
  ) throws(JSONError) -> Instrument {
    guard let pair = KrakenAssets.pair(try listing.string("wsname")) else {
      throw .unexpected("\(symbol): wsname is no pair")
    }
    let priceScale = try scale(listing, "pair_decimals")
    let quantityScale = try scale(listing, "lot_decimals")
    guard priceScale + quantityScale <= 36 else {
      throw .unexpected("\(symbol) has \(priceScale) and \(quantityScale) places")
    }
    let tick = try units(listing, "tick_size", priceScale) ?? 1
    let least = try units(listing, "ordermin", quantityScale) ?? 1
    guard tick > 0, least > 0 else { throw .unexpected("\(symbol) has a tick or a least of zero") }
    var instrument = Instrument(
      id: id, venue: venue, symbol: symbol, venueSymbol: "\(pair.base)/\(pair.quote)",
      base: pair.base, quote: pair.quote, priceScale: priceScale, quantityScale: quantityScale,
      tickSize: Price(tick), lotSize: Quantity(1), minQuantity: Quantity(least),
      // Kraken tells no greatest quantity: what a thousand orders of it fit 64 bits.
      maxQuantity: Quantity(Int64.max / 1_000),
      minNotional: Notional(try leastCost(listing, priceScale + quantityScale)),
      isTrading: KrakenMarket.isTrading(listing["status"]?.string ?? "online"))
    // Kraken has no fill-or-kill for spot (docs.kraken.com/api/docs/rest-api/add-order).
    instrument.features = [.market, .limit, .ioc, .postOnly, .amend]
    if let taker = try fee(listing, "fees"), let maker = try fee(listing, "fees_maker") {
      instrument.fees = FeeSchedule(maker: maker, taker: taker)
    }
    return instrument
  }

  private static func scale(_ listing: JSONValue, _ name: String) throws(JSONError) -> UInt8 {
    let places = try listing.uint64(name)
    guard places <= 18 else { throw .unexpected("\(name) is \(places)") }
    return UInt8(places)
  }

  private static func units(
    _ listing: JSONValue, _ name: String, _ scale: UInt8
  ) throws(JSONError) -> Int64? {
    guard let value = listing[name] else { return nil }
    guard let units = KrakenNumber(value)?.raw(scale: scale) else {
      throw .unexpected("\(name) is \(value), no decimal of \(scale) places")
    }
    return units
  }

  private static func leastCost(_ listing: JSONValue, _ scale: UInt8) throws(JSONError) -> Int128 {
    guard let value = listing["costmin"] else { return 0 }
    guard let cost = KrakenNumber(value), cost.places <= Int(scale) else {
      throw .unexpected("costmin is \(value)")
    }
    var raw = Int128(cost.units)
    for _ in cost.places..<Int(scale) { raw *= 10 }
    return raw
  }

  /// The first step of a schedule `[[volume, percent], ...]`, as a fraction.
  private static func fee(_ listing: JSONValue, _ name: String) throws(JSONError) -> Decimal? {
    guard let percent = listing[name]?[0]?[1] else { return nil }
    guard let number = KrakenNumber(percent), number.places <= 16 else {
      throw .unexpected("\(name) is \(percent)")
    }
    return Decimal(units: number.units, scale: UInt8(number.places + 2))
  }
}
