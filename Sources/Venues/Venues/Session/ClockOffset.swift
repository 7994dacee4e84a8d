package import Chrono

/// The venue's clock against ours, estimated from questions for its time.
///
/// An answer is as of some moment between sending and receiving; taking the middle is wrong by half
/// the round trip at most. So of the latest samples the one with the shortest round trip counts, as
/// NTP's clock filter does (RFC 5905, chapter 10).
package struct ClockOffset: Sendable, Hashable {
  private struct Sample: Hashable {
    var offset: Duration
    var roundTrip: Duration
  }

  private var samples: [Sample] = []
  private static let samplesMax = 8

  package init() {}

  /// `venue`: the time that the venue told, somewhere between `sent` and `received` by our clock.
  package mutating func sample(sent: Instant, received: Instant, venue: Instant) {
    guard received >= sent else { return }
    if samples.count == Self.samplesMax { samples.removeFirst() }
    let roundTrip = received - sent
    samples.append(Sample(offset: venue - (sent + roundTrip / 2), roundTrip: roundTrip))
  }

  /// A jump of a clock makes what was known worthless.
  package mutating func forget() { samples.removeAll() }

  /// Venue minus ours; nil before the first sample.
  package var offset: Duration? { best?.offset }

  /// The estimate is at most this far off.
  package var errorMax: Duration? { best.map { $0.roundTrip / 2 } }

  private var best: Sample? { samples.min { $0.roundTrip < $1.roundTrip } }
}
