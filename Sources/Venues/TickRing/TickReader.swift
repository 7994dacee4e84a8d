package import SharedRing
package import Venue

/// Reads a ring of ticks: every tick in order, each with its instrument, and every loss told.
package struct TickReader: ~Copyable {
  package enum Reading: Sendable, Hashable {
    case tick(Tick, TickInstrument)
    /// Nothing new.
    case none
    /// So many ticks are lost: whoever keeps a state of each instrument starts anew.
    case overrun(lost: UInt64)
    /// Another writer has taken over: ticks that it did not see may be missing here.
    case newWriter
    /// The file was replaced, to be opened anew.
    case retired
  }

  private var ring: RingReader
  /// By number; nil for numbers that are venues.
  private var directory: [TickInstrument?] = []
  /// Ticks whose number the directory does not hold: the file is damaged.
  package private(set) var unnamed: UInt64 = 0

  package init(_ path: String, from start: RingReader.Start = .now) throws(RingError) {
    ring = try RingReader(path, from: start)
  }

  /// Never waits.
  package mutating func read() -> Reading {
    while true {
      switch ring.read() {
      case .next(let content, let sequence):
        let tick = Tick(sequence: sequence, words: content.words)
        guard let instrument = instrument(Int(tick.instrument)) else {
          unnamed += 1
          continue
        }
        return .tick(tick, instrument)
      case .none: return .none
      case .overrun(let lost): return .overrun(lost: lost)
      case .newWriter: return .newWriter
      case .retired: return .retired
      }
    }
  }

  /// Ticks that wait, and lost ones since the start.
  package var lag: UInt64 { ring.lag }
  package var lost: UInt64 { ring.lost }
  /// How full the ring is for this reader, in thousandths; 1,000 is where it begins to lose.
  package var occupancyPermille: UInt64 { min(1_000, ring.lag * 1_000 / UInt64(ring.capacity)) }

  private mutating func instrument(_ number: Int) -> TickInstrument? {
    if number >= directory.count {
      for index in directory.count..<max(directory.count, ring.labelCount) {
        directory.append(ring.label(index).flatMap { TickInstrument(label: $0) })
      }
    }
    return directory.indices.contains(number) ? directory[number] : nil
  }
}
