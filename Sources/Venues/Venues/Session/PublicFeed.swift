package import Chrono
package import Venue

/// A venue's public market data without its sockets: frames in, events and wishes out.
///
/// One feed is the state of one connection: which instruments it carries, their books, what it has
/// subscribed and what it still waits for. It never looks at a clock, never waits and never fails:
/// what it cannot read it counts in its output. So a socket, a recorded capture and a test drive the
/// same code. Not Sendable: whoever made it owns it.
package protocol PublicFeed: AnyObject {
  /// Path and query of the socket.
  var target: String { get }
  var instruments: [Instrument] { get }

  /// A connection is up. Nothing of an earlier one counts.
  func opened(at now: Instant, _ output: inout FeedOutput)
  /// A whole frame.
  func receive(_ frame: [UInt8], at received: Instant, _ output: inout FeedOutput)
  /// The body of a successful answer to a `.get` of this connection.
  func answered(
    _ question: FeedQuestion, _ body: [UInt8], at received: Instant, _ output: inout FeedOutput)
  /// Called about once a second: pings, acknowledgements that never came, silence.
  func tick(at now: Instant, _ output: inout FeedOutput)
  /// The connection has ended; every book that was whole is stale.
  func closed(reason: String, at now: Instant, _ output: inout FeedOutput)
  /// Gives up the instrument's book, if it is whole, and asks for it anew as after a gap, with the
  /// same growing pauses. No fault is counted: the venue did nothing wrong.
  func resynchronise(
    _ instrument: InstrumentID, reason: String, at now: Instant, _ output: inout FeedOutput)
}

extension PublicFeed {
  /// Readers of recorded dialects have nobody to ask.
  package func resynchronise(
    _ instrument: InstrumentID, reason: String, at now: Instant, _ output: inout FeedOutput
  ) {}
}

/// What a feed asks over REST, so that the answer finds its way back.
package struct FeedQuestion: Sendable, Hashable {
  package enum Kind: Sendable, Hashable {
    case snapshot
    /// Trades that were missed, for back-filling.
    case trades
    /// Whether instruments are open for trading.
    case status
  }

  package var kind: Kind
  package var instrument: InstrumentID

  package init(_ kind: Kind, _ instrument: InstrumentID) {
    self.kind = kind
    self.instrument = instrument
  }
}

/// What a feed wants done.
package enum FeedWish: Sendable, Hashable {
  /// A text frame on this connection.
  case send([UInt8])
  /// A public REST request, retried with growing pauses until it is answered or the connection is
  /// gone. `target` is path and query, `weight` what the venue's request limit counts it as.
  case get(target: String, weight: Int, FeedQuestion, after: Duration)
  /// The connection is of no use any more.
  case reconnect(reason: String)
}

/// Something that went wrong with a feed, to be counted and logged.
package enum FeedFault: Sendable, Hashable {
  /// A frame or an answer that cannot be read.
  case malformed(String)
  /// A book lost its place in the venue's sequence.
  case gap(InstrumentID, String)
  /// The venue's checksum is not that of our book.
  case checksum(InstrumentID, String)
  /// Trades that the stream left out: their ids.
  case missedTrades(InstrumentID, String)
  /// The venue refused a subscription or said that something is wrong.
  case refused(String)
}

/// What a feed has to say after a call. The owner empties and reuses it; a hearer that keeps no event
/// costs no allocation.
package struct FeedOutput: Sendable {
  package var events: [MarketEvent] = []
  package var wishes: [FeedWish] = []
  package var faults: [FeedFault] = []
  /// What answers told of the venue's clock.
  package var clocks: [ClockReading] = []

  package init() {}

  package mutating func removeAll() {
    clocks.removeAll(keepingCapacity: true)
    events.removeAll(keepingCapacity: true)
    wishes.removeAll(keepingCapacity: true)
    faults.removeAll(keepingCapacity: true)
  }
}
