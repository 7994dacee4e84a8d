internal import Chrono
package import SharedRing
package import Venue

/// Writes ticks into a ring in shared memory, for other processes of this machine.
///
/// Writing never waits. An instrument gets its number at its first tick and keeps it as long as the
/// file lives, over restarts too.
package struct TickWriter: ~Copyable {
  private var ring: RingWriter
  /// By the index of the instrument in this process.
  private var numbers: [Numbers?] = []
  /// Ticks that were not written because the directory is full or the names are too long.
  package private(set) var unnamed: UInt64 = 0

  private struct Numbers {
    let venue: UInt16
    let instrument: UInt16
  }

  /// Throws when another process writes it, or the file cannot be made.
  package init(
    _ path: String, capacity: Int = RingWriter.capacityStandard, namesMax: Int = 4_096
  ) throws(RingError) {
    precondition((1...1 << 16).contains(namesMax), "\(namesMax) names do not fit 16 bits")
    ring = try RingWriter(path, capacity: capacity, labelsMax: namesMax)
  }

  /// Takes its sequence, which is the ring's, or 0 when the instrument could not be named.
  @discardableResult
  package mutating func write(_ event: TickEvent, of instrument: Instrument) -> UInt64 {
    guard let numbers = numbers(of: instrument) else {
      unnamed += 1
      return 0
    }
    let tick = Tick(
      exchangeTime: event.exchangeTime, receivedTime: event.receivedTime, venue: numbers.venue,
      instrument: numbers.instrument, flags: event.flags, bid: event.bid, ask: event.ask)
    return ring.write(RingContent(tick.words))
  }

  private mutating func numbers(of instrument: Instrument) -> Numbers? {
    let index = Int(instrument.id.index)
    if index < numbers.count, let known = numbers[index] { return known }
    guard let venue = ring.label(instrument.venue.name),
      let number = ring.label(TickInstrument(instrument).label)
    else { return nil }
    let fresh = Numbers(venue: UInt16(venue), instrument: UInt16(number))
    while numbers.count <= index { numbers.append(nil) }
    numbers[index] = fresh
    return fresh
  }
}
