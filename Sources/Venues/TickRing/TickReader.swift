package import Chrono
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
  /// By number: what of it was told by `restart`.
  private var told: [UInt64] = []
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
        let number = Int(tick.instrument)
        guard let instrument = instrument(number) else {
          unnamed += 1
          continue
        }
        if number < told.count, sequence <= told[number] { continue }
        return .tick(tick, instrument)
      case .none: return .none
      case .overrun(let lost): return .overrun(lost: lost)
      case .newWriter: return .newWriter
      case .retired: return .retired
      }
    }
  }

  /// Starts over: the touch of every instrument as of now, each whole; `read` goes on behind them.
  /// Instruments that are not among them are unknown.
  package mutating func restart() -> [(tick: Tick, instrument: TickInstrument)] {
    ring.skip()
    var all: [(tick: Tick, instrument: TickInstrument)] = []
    told = Array(repeating: 0, count: ring.labelCount)
    for number in told.indices {
      guard let instrument = instrument(number), let latest = ring.latest(of: number) else {
        continue
      }
      told[number] = latest.sequence
      all.append((Tick(sequence: latest.sequence, words: latest.content.words), instrument))
    }
    return all
  }

  // MARK: The writer

  /// Why there is nobody to write: the writer is gone, or has not said for `silenceMax` that it lives.
  /// Nil while it does.
  package func absence(_ now: Uptime, silenceMax: Duration) -> String? {
    guard ring.hasWriter else { return "nobody writes it" }
    let beat = Uptime(nanoseconds: ring.lastBeat)
    return now - beat > silenceMax ? "its writer has been silent for more than \(silenceMax)" : nil
  }

  // MARK: Waiting

  /// A descriptor that becomes readable when ticks come for a reader that has said that it `sleeps`.
  package mutating func openBell() throws(RingError) -> Int32 { try ring.openBell() }
  /// False: there is something to read, do not wait.
  package func sleeps() -> Bool { ring.sleeps() }
  package func wakes() { ring.wakes() }
  /// To be called when the bell is readable, before reading.
  package func silence() { ring.silence() }

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
