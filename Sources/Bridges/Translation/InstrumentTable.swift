package import Calls
package import Contracts
internal import Mutants
package import Venue

/// The instruments that a process knows, numbered densely in order of arrival.
package struct InstrumentTable: Sendable {
  package struct Key: Hashable, Sendable {
    package let venue: String
    package let symbol: String

    package init(venue: String, symbol: String) {
      self.venue = venue
      self.symbol = symbol
    }

    init(_ instrument: Instrument) {
      self.init(venue: instrument.venue.name, symbol: instrument.symbol)
    }
  }

  package private(set) var all: [Instrument] = []
  /// As they were told, in the same order: whoever learns them in it numbers them alike.
  package private(set) var told: [MarketV1.Instrument] = []
  private var ids: [Key: InstrumentID] = [:]

  package init() {}

  package subscript(id: InstrumentID) -> Instrument { all[Int(id.index)] }

  package subscript(venue: String, symbol: String) -> Instrument? {
    ids[Key(venue: venue, symbol: symbol)].map { self[$0] }
  }

  /// Adds an instrument or takes its new rules; true when that changed anything. One whose scales have
  /// changed is another one under the same name from now on: what was made under the old ones keeps their
  /// id, for every stored integer would change its meaning.
  @discardableResult
  package mutating func learn(_ wire: MarketV1.Instrument) throws(RPCError) -> Bool {
    let key = Key(venue: wire.venue, symbol: wire.symbol)
    if let id = ids[key] {
      let instrument = try Instrument(wire, id: id)
      let known = self[id]
      if hasScales(of: instrument, known) {
        all[Int(id.index)] = instrument
        told[Int(id.index)] = wire
        return instrument != known
      }
      if Mutant.isOn(.termsAreForever) {
        throw RPCError(.failedPrecondition, "\(wire.venue) changed the scales of \(wire.symbol)")
      }
    }
    let instrument = try Instrument(wire, id: InstrumentID(Int32(all.count)))
    ids[key] = instrument.id
    all.append(instrument)
    told.append(wire)
    return true
  }

  /// Adds terms of before, which are not in force where others of their name are.
  package mutating func remember(_ wire: MarketV1.Instrument) throws(RPCError) -> Instrument {
    let key = Key(venue: wire.venue, symbol: wire.symbol)
    guard let inForce = ids[key] else {
      try learn(wire)
      return all[all.count - 1]
    }
    let instrument = try Instrument(wire, id: InstrumentID(Int32(all.count)))
    if let known = earlier(than: inForce, under: key).first(where: { hasScales(of: $0, instrument) }
    ) {
      return known
    }
    all.append(instrument)
    told.append(wire)
    return instrument
  }

  /// The instrument under whose terms an order was made, told by the places of its numbers and of its
  /// execution's: the one in force where it fits, else the newest one that does.
  package func instrument(
    of order: OmsV1.Order, _ execution: OmsV1.Execution? = nil
  ) -> Instrument? {
    let key = Key(venue: order.venue, symbol: order.symbol)
    guard let id = ids[key] else { return nil }
    let (quantity, price) = (order.quantity, order.price ?? execution?.price)
    func fits(_ instrument: Instrument) -> Bool {
      quantity.map { $0.scale == UInt32(instrument.quantityScale) } ?? true
        && price.map { $0.scale == UInt32(instrument.priceScale) } ?? true
    }
    let inForce = self[id]
    return fits(inForce) ? inForce : earlier(than: id, under: key).first(where: fits)
  }

  /// Those of the same name that are not in force, the newest first.
  package func earlier(than instrument: Instrument) -> [Instrument] {
    earlier(than: instrument.id, under: Key(instrument))
  }

  private func earlier(than id: InstrumentID, under key: Key) -> [Instrument] {
    // Every one of them was in force once; as a rule there are none.
    all.count == ids.count ? [] : all.reversed().filter { $0.id != id && Key($0) == key }
  }

  private func hasScales(of instrument: Instrument, _ known: Instrument) -> Bool {
    instrument.priceScale == known.priceScale && instrument.quantityScale == known.quantityScale
  }

  /// Those that are in force now, of each name one.
  private var current: [Instrument] { all.filter { ids[Key($0)] == $0.id } }

  /// Longer than any name of a venue or a symbol: errors repeat them.
  private static let nameBytesMax = 64

  /// The instrument that a request means. Its venue may be left out when only one lists the symbol, or
  /// when `standard` is among those that do.
  package func find(
    venue: String, symbol: String, standard: String = ""
  ) throws(RPCError) -> Instrument {
    guard !symbol.isEmpty else { throw RPCError.invalid("symbol", "is empty") }
    guard symbol.utf8.count <= Self.nameBytesMax, venue.utf8.count <= Self.nameBytesMax else {
      throw RPCError.invalid(
        symbol.utf8.count > Self.nameBytesMax ? "symbol" : "venue",
        "is longer than any name of one, \(Self.nameBytesMax) bytes")
    }
    let current = current
    let listed = current.filter { $0.symbol == symbol && (venue.isEmpty || $0.venue.name == venue) }
    if let only = listed.first, listed.count == 1 { return only }
    if let usual = listed.first(where: { $0.venue.name == standard }) { return usual }
    var error: RPCError
    let elsewhere = current.filter { $0.symbol == symbol }.map(\.venue.name).sorted()
    if listed.isEmpty, !elsewhere.isEmpty {
      error = .invalid(
        "venue",
        "\(venue.prefix(64)) does not list \(symbol); \(elsewhere.joined(separator: ", ")) does")
    } else if listed.isEmpty {
      let known = Set(current.map(\.symbol)).sorted().prefix(20).joined(separator: ", ")
      let place = venue.isEmpty ? "any venue" : venue
      error = .invalid("symbol", "\(symbol) is not listed at \(place); listed are \(known)")
    } else {
      let venues = listed.map(\.venue.name).sorted().joined(separator: ", ")
      error = .invalid("venue", "is needed: \(symbol) is listed at \(venues)")
    }
    error.details.append(
      .errorInfo(
        reason: RejectReason.invalidSymbol.name, domain: "shrivenquant",
        metadata: ["symbol": symbol]))
    throw error
  }
}
