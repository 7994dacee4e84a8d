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
  private var ids: [Key: InstrumentID] = [:]

  package init() {}

  package subscript(id: InstrumentID) -> Instrument { all[Int(id.index)] }

  package subscript(venue: String, symbol: String) -> Instrument? {
    ids[Key(venue: venue, symbol: symbol)].map { self[$0] }
  }

  /// Adds an instrument or takes its new rules; true when that changed anything. Scales never change:
  /// every stored integer would change its meaning.
  @discardableResult
  package mutating func put(_ wire: MarketV1.Instrument) throws(RPCError) -> Bool {
    guard let known = self[wire.venue, wire.symbol] else { return try learn(wire) }
    let instrument = try Instrument(wire, id: known.id)
    guard hasScales(of: instrument, known) else {
      throw RPCError(
        .failedPrecondition,
        "\(wire.venue) changed the scales of \(wire.symbol); restart with a new state")
    }
    return try learn(wire)
  }

  /// The same for whoever keeps history: an instrument whose scales have changed is another one under
  /// the same name, and what was made under the old ones keeps their id and its meaning.
  @discardableResult
  package mutating func learn(_ wire: MarketV1.Instrument) throws(RPCError) -> Bool {
    let key = Key(venue: wire.venue, symbol: wire.symbol)
    if let id = ids[key] {
      let instrument = try Instrument(wire, id: id)
      let known = self[id]
      if hasScales(of: instrument, known) {
        all[Int(id.index)] = instrument
        return instrument != known
      }
      if Mutant.isOn(.termsAreForever) {
        throw RPCError(.failedPrecondition, "\(wire.venue) changed the scales of \(wire.symbol)")
      }
    }
    let instrument = try Instrument(wire, id: InstrumentID(Int32(all.count)))
    ids[key] = instrument.id
    all.append(instrument)
    return true
  }

  private func hasScales(of instrument: Instrument, _ known: Instrument) -> Bool {
    instrument.priceScale == known.priceScale && instrument.quantityScale == known.quantityScale
  }

  /// Those that are in force now, of each name one.
  private var current: [Instrument] { all.filter { ids[Key($0)] == $0.id } }

  /// The instrument that a request means. Its venue may be left out when only one lists the symbol, or
  /// when `standard` is among those that do.
  package func find(
    venue: String, symbol: String, standard: String = ""
  ) throws(RPCError) -> Instrument {
    guard !symbol.isEmpty else { throw RPCError.invalid("symbol", "is empty") }
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
