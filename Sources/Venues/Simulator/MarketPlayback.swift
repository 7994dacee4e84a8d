internal import JSON
internal import OrderBook
internal import Venue

/// A recorded market as it stands: the book at the last played message, with our orders in it.
///
/// The book begins with the recorder's snapshot, so that a client which asks for depth before the
/// tape has reached that place gets the recorder's own answer.
package final class MarketPlayback {
  let book: PlaybackBook
  private let reader: CaptureReader
  private(set) var lastUpdateID: UInt64

  private static let ordersMax = 100_000

  init(_ market: SimulatedMarket, _ snapshot: BookSnapshot) {
    book = PlaybackBook(ordersMax: Self.ordersMax)
    reader = CaptureReader(market)
    lastUpdateID = snapshot.updateID
    var none: [MatchEvent] = []
    book.play(snapshot, into: &none)
  }

  /// What the message did to our orders.
  func play(_ message: CaptureMessage) throws(JSONError) -> [MatchEvent] {
    var events: [MatchEvent] = []
    switch message.kind {
    case .depthFast, .depthSlow:
      let delta = try reader.delta(message.payload)
      guard delta.lastUpdateID > lastUpdateID else { break }
      book.play(delta, into: &events)
      lastUpdateID = delta.lastUpdateID
    case .trade: book.play(try reader.trade(message.payload), into: &events)
    case .bookTicker: break
    }
    return events
  }
}

extension SimulatedExchange {
  /// One recorded message: to the book and our orders in it, and as it was to everyone who listens.
  mutating func play(_ message: CaptureMessage, market index: Int) throws(JSONError) {
    guard let playback = markets[index].engine.playback else { return }
    let events = try playback.play(message)
    publish(.recorded(market: index, message.kind, payload: message.payload))
    guard !events.isEmpty else { return }
    settle(MarketEngine.result(of: events, placed: nil), index)
    publishBalances()
  }
}
