package import Chrono

/// The venue's clock against ours, estimated from questions for its time.
///
/// An answer is as of some moment between sending and receiving; taking the middle is wrong by half
/// the round trip at most. So of the latest samples the one that is the least far off counts: the one
/// with the shortest round trip, as in NTP's clock filter (RFC 5905, chapter 10), where all are told
/// as finely.
package struct ClockOffset: Sendable, Hashable {
  private struct Sample: Hashable {
    var offset: Duration
    /// The offset is at most this far off.
    var error: Duration
  }

  private var samples: [Sample] = []
  private static let samplesMax = 8

  package init() {}

  /// `venue`: the time that the venue told, somewhere between `sent` and `received` by our clock,
  /// itself at most `grain` off: half a second when it tells whole seconds and their middle is taken.
  package mutating func sample(
    sent: Instant, received: Instant, venue: Instant, grain: Duration = .zero
  ) {
    guard received >= sent else { return }
    let roundTrip = received - sent
    add(Sample(offset: venue - (sent + roundTrip / 2), error: roundTrip / 2 + grain))
  }

  /// A venue that tells when it took the question and when it gave the answer: only the way there
  /// and back is unknown (RFC 5905, chapter 8: offset and delay of four timestamps).
  package mutating func sample(_ reading: ClockReading) {
    let roundTrip =
      (reading.received - reading.sent) - (reading.venueSent - reading.venueReceived)
    guard reading.venueSent >= reading.venueReceived, roundTrip >= .zero else { return }
    let sum = (reading.venueReceived - reading.sent) + (reading.venueSent - reading.received)
    add(Sample(offset: sum / 2, error: roundTrip / 2))
  }

  private mutating func add(_ sample: Sample) {
    if samples.count == Self.samplesMax { samples.removeFirst() }
    samples.append(sample)
  }

  /// A jump of a clock makes what was known worthless.
  package mutating func forget() { samples.removeAll() }

  /// Venue minus ours; nil before the first sample.
  package var offset: Duration? { best?.offset }

  /// The estimate is at most this far off.
  package var errorMax: Duration? { best?.error }

  private var best: Sample? { samples.min { $0.error < $1.error } }
}

/// A question and its answer, with the moments that both sides tell of it.
package struct ClockReading: Sendable, Hashable {
  /// By our clock.
  package var sent: Instant
  package var received: Instant
  /// By the venue's.
  package var venueReceived: Instant
  package var venueSent: Instant

  package init(sent: Instant, received: Instant, venueReceived: Instant, venueSent: Instant) {
    self.sent = sent
    self.received = received
    self.venueReceived = venueReceived
    self.venueSent = venueSent
  }
}
