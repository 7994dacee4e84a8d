package import Chrono
package import SharedRing
package import Venue

/// Writes ticks into a ring in shared memory, for other processes of this machine.
///
/// Writing never waits. An instrument has a number as long as the file lives, over restarts too.
package struct TickWriter: ~Copyable {
  private var ring: RingWriter

  /// An instrument in the ring's directory.
  package struct Number: Sendable, Hashable {
    fileprivate let venue: UInt16
    fileprivate let instrument: UInt16
  }

  /// Throws when another process writes it, or the file cannot be made.
  package init(
    _ path: String, capacity: Int = RingWriter.capacityStandard, namesMax: Int = 4_096
  ) throws(RingError) {
    precondition((1...1 << 16).contains(namesMax), "\(namesMax) names do not fit 16 bits")
    ring = try RingWriter(path, capacity: capacity, labelsMax: namesMax)
  }

  /// Nil when the directory is full or the names are too long: such an instrument has no ticks.
  package func number(of instrument: Instrument) -> Number? {
    guard let venue = ring.label(instrument.venue.name),
      let number = ring.label(TickInstrument(instrument).label)
    else { return nil }
    return Number(venue: UInt16(venue), instrument: UInt16(number))
  }

  /// Publishes a tick and wakes who waits for it; its sequence, which is the ring's.
  @discardableResult
  package mutating func write(_ event: TickEvent, of number: Number) -> UInt64 {
    let tick = Tick(
      exchangeTime: event.exchangeTime, receivedTime: event.receivedTime, venue: number.venue,
      instrument: number.instrument, flags: event.flags, bid: event.bid, ask: event.ask)
    // A trade says nothing of the touch, so it is not what a reader begins with.
    let sequence = ring.write(
      RingContent(tick.words), latestOf: event.isTrade ? nil : Int(number.instrument))
    ring.wake()
    return sequence
  }

  /// Says that the writer lives.
  package func beat(_ now: Uptime) { ring.beat(uptime: now.nanoseconds) }

  /// Ends the ring for good: readers are told, and the file goes.
  package consuming func remove() { ring.remove() }
}
