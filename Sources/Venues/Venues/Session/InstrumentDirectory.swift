private import Synchronization
package import Venue

/// The instruments of a session, once they are loaded.
package final class InstrumentDirectory: Sendable {
  private let instruments = Mutex<[Instrument]>([])

  package init(_ instruments: [Instrument] = []) { set(instruments) }

  package var all: [Instrument] { instruments.withLock { $0 } }

  package func set(_ instruments: [Instrument]) {
    self.instruments.withLock { $0 = instruments }
  }

  /// Ids are the places in the list.
  package subscript(id: InstrumentID) -> Instrument? {
    instruments.withLock { list in
      let index = Int(id.index)
      return list.indices.contains(index) ? list[index] : nil
    }
  }

  package func named(_ venueSymbol: String) -> Instrument? {
    instruments.withLock { list in list.first { $0.venueSymbol == venueSymbol } }
  }
}
