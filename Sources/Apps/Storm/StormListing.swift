internal import Units
internal import Venue

/// The markets of an exchange as it lists them now, which is not for ever: it takes one off its list
/// for a while, and counts prices in finer steps.
///
/// What the engine calls a market is its place there; a session knows it by its place in the list.
struct StormListing: Sendable, Hashable {
  private(set) var markets: [Market] = []

  struct Market: Sendable, Hashable {
    let engine: InstrumentID
    let listed: Instrument
    /// A listed raw price is the engine's times this.
    let factor: Int64
  }

  var instruments: [Instrument] { markets.map(\.listed) }

  mutating func list(_ instrument: Instrument, digits: UInt8) {
    let factor = powerOfTen(digits) ?? 1
    var listed = instrument
    listed.id = InstrumentID(Int32(markets.count))
    listed.priceScale += digits
    listed.tickSize = Price(listed.tickSize.raw * factor)
    listed.minNotional = Notional(listed.minNotional.raw * Int128(factor))
    markets.append(Market(engine: instrument.id, listed: listed, factor: factor))
  }

  private func market(_ listed: InstrumentID) -> Market { markets[Int(listed.index)] }

  private func market(ofEngine id: InstrumentID) -> Market? {
    markets.first { $0.engine == id }
  }

  // MARK: To the exchange

  func traded(_ listed: InstrumentID) -> InstrumentID { market(listed).engine }

  func traded(_ listed: VenueOrder) -> VenueOrder {
    let market = market(listed.instrument)
    var order = listed
    order.instrument = market.engine
    order.price = listed.price.map { Price($0.raw / market.factor) }
    return order
  }

  func traded(_ listed: VenueAmendment) -> VenueAmendment {
    let market = market(listed.instrument)
    var amendment = listed
    amendment.instrument = market.engine
    amendment.price = listed.price.map { Price($0.raw / market.factor) }
    return amendment
  }

  // MARK: From the exchange

  /// Nil for a market that is not listed.
  func listed(_ report: VenueReport) -> VenueReport? {
    guard let market = market(ofEngine: report.instrument) else { return nil }
    var listed = report
    listed.instrument = market.listed.id
    listed.price = report.price.map { Price($0.raw * market.factor) }
    listed.fill = report.fill.map { self.listed($0, market.listed.id) }
    return listed
  }

  func listed(_ fill: VenueFill, _ instrument: InstrumentID) -> VenueFill {
    var listed = fill
    listed.price = Price(fill.price.raw * market(instrument).factor)
    return listed
  }
}
