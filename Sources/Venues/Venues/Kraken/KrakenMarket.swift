internal import Chrono
internal import Venue

/// One instrument on a connection: its book's subscription, its trades and its status.
final class KrakenMarket {
  enum Phase: Hashable {
    /// Subscribed or about to be; the snapshot is awaited since then.
    case subscribing(since: Instant)
    case live(since: Instant)
    /// The end of the subscription is awaited; what still comes is of the bad book.
    case unsubscribing
    /// A pause before the next subscription.
    case pausing(until: Instant)
  }

  let instrument: Instrument
  let book: any KrakenLocalBook
  var phase = Phase.subscribing(since: .epoch)
  /// When the book last had a message.
  var heardAt = Instant.epoch
  /// Books in a row that went bad before they had settled.
  var failures = 0
  /// The last trade that was told, kept over connections: what happened in between is fetched.
  var lastTrade: (id: UInt64, time: Instant)?
  /// Ids of trades that are being fetched, and the moment of the last one before them; nil when they
  /// are the last of many.
  var missing: ClosedRange<UInt64>?
  var missingSince: Instant?
  /// The rows of the very first snapshot are history that nobody missed.
  var isFirstSnapshot = false
  var status: String
  var toldStatus: String

  init(_ instrument: Instrument, depth: Int, isByOrder: Bool) {
    self.instrument = instrument
    book =
      isByOrder
      ? KrakenOrderBook(instrument, depth: depth) : KrakenBook(instrument, depth: depth)
    status = instrument.isTrading ? "online" : "cancel_only"
    toldStatus = status
  }

  /// A new connection: nothing of the old one counts but the trades that were told.
  func restart(at now: Instant) {
    book.invalidate()
    phase = .subscribing(since: now)
    isFirstSnapshot = false
  }

  /// `post_only`, `reduce_only` and the like take no order that trades at once.
  static func isTrading(_ status: String) -> Bool { status == "online" || status == "limit_only" }
}
