internal import Chrono
internal import SharedRing
private import Synchronization
internal import Telemetry
internal import TickRing
internal import Venue

/// The ring of ticks of this machine: every venue's touches and trades, for other processes here.
///
/// Its one writer is this process. What is written before it is open, or after it is closed, goes
/// nowhere: it opens with the touch of every book.
final class TickOutlet: Sendable {
  let place: RingPlace
  private let entries: Int
  private let writer = Mutex<TickWriter?>(nil)
  private let isOpen: Gauge

  /// `entries` 0: it never opens.
  init(_ config: Config, folder: String, _ metrics: MetricsRegistry) {
    place = RingPlace(TickRingFile.name, in: folder)
    entries = config.ticks.entries
    isOpen = metrics.gauge(
      "market_connector_tick_ring_open", help: "1 while this process writes the ring of ticks.")
  }

  var isWanted: Bool { entries > 0 }

  func open() throws(RingError) {
    let fresh = try TickWriter(place.path, capacity: entries)
    try place.publish()
    put(fresh)
    isOpen.set(1)
  }

  private func put(_ fresh: consuming sending TickWriter) {
    var fresh = Optional(fresh)
    writer.withLock { $0 = fresh.take() }
  }

  /// Readers are told that it ended, and its files go.
  func close() {
    writer.withLock { writer in
      if let last = writer.take() {
        place.withdraw()
        last.remove()
      }
    }
    isOpen.set(0)
  }

  func beat(_ now: Uptime) { writer.withLock { $0?.beat(now) } }

  /// Nil while it is closed, and for instruments that its directory has no room for.
  func number(of instrument: Instrument) -> TickWriter.Number? {
    writer.withLock { $0?.number(of: instrument) }
  }

  func write(_ event: TickEvent, of number: TickWriter.Number) {
    writer.withLock { _ = $0?.write(event, of: number) }
  }
}
