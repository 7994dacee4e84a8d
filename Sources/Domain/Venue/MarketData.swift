package import Chrono
package import Units

package struct PriceLevel: Sendable, Hashable {
  package var price: Price
  /// Zero in a delta removes the level.
  package var quantity: Quantity

  package init(price: Price, quantity: Quantity) {
    self.price = price
    self.quantity = quantity
  }
}

/// A whole book as of one update id. Bids descend, asks ascend.
package struct BookSnapshot: Sendable, Hashable {
  package var instrument: InstrumentID
  package var updateID: UInt64
  package var exchangeTime: Instant
  package var receivedTime: Instant
  package var bids: [PriceLevel]
  package var asks: [PriceLevel]

  package init(
    instrument: InstrumentID, updateID: UInt64, exchangeTime: Instant, receivedTime: Instant,
    bids: [PriceLevel], asks: [PriceLevel]
  ) {
    self.instrument = instrument
    self.updateID = updateID
    self.exchangeTime = exchangeTime
    self.receivedTime = receivedTime
    self.bids = bids
    self.asks = asks
  }
}

/// Levels that changed, with absolute quantities, covering the venue's update ids `first...last`.
package struct BookDelta: Sendable, Hashable {
  package var instrument: InstrumentID
  package var firstUpdateID: UInt64
  package var lastUpdateID: UInt64
  package var exchangeTime: Instant
  package var receivedTime: Instant
  package var bids: [PriceLevel]
  package var asks: [PriceLevel]

  package init(
    instrument: InstrumentID, firstUpdateID: UInt64, lastUpdateID: UInt64, exchangeTime: Instant,
    receivedTime: Instant, bids: [PriceLevel], asks: [PriceLevel]
  ) {
    self.instrument = instrument
    self.firstUpdateID = firstUpdateID
    self.lastUpdateID = lastUpdateID
    self.exchangeTime = exchangeTime
    self.receivedTime = receivedTime
    self.bids = bids
    self.asks = asks
  }
}

package struct Trade: Sendable, Hashable {
  package var instrument: InstrumentID
  package var tradeID: UInt64
  package var price: Price
  package var quantity: Quantity
  /// The side of the order that took liquidity.
  package var aggressor: Side
  package var exchangeTime: Instant
  package var receivedTime: Instant
  /// Fetched after a gap, so it comes late: not a sign of the market now.
  package var isBackfilled: Bool

  package init(
    instrument: InstrumentID, tradeID: UInt64, price: Price, quantity: Quantity, aggressor: Side,
    exchangeTime: Instant, receivedTime: Instant, isBackfilled: Bool = false
  ) {
    self.instrument = instrument
    self.tradeID = tradeID
    self.price = price
    self.quantity = quantity
    self.aggressor = aggressor
    self.exchangeTime = exchangeTime
    self.receivedTime = receivedTime
    self.isBackfilled = isBackfilled
  }
}

/// The best bid and ask as a venue publishes them, a cross-check of a rebuilt book.
package struct TopOfBook: Sendable, Hashable {
  package var instrument: InstrumentID
  package var updateID: UInt64
  package var bid: PriceLevel
  package var ask: PriceLevel
  package var receivedTime: Instant

  package init(
    instrument: InstrumentID, updateID: UInt64, bid: PriceLevel, ask: PriceLevel,
    receivedTime: Instant
  ) {
    self.instrument = instrument
    self.updateID = updateID
    self.bid = bid
    self.ask = ask
    self.receivedTime = receivedTime
  }
}

/// Whether a venue takes orders in an instrument, as its stream or its REST says.
package struct TradingStatus: Sendable, Hashable {
  package var instrument: InstrumentID
  package var isTrading: Bool
  /// The venue's own word: `TRADING`, `HALT`, `cancel_only`, `suspend`.
  package var text: String
  package var receivedTime: Instant

  package init(instrument: InstrumentID, isTrading: Bool, text: String, receivedTime: Instant) {
    self.instrument = instrument
    self.isTrading = isTrading
    self.text = text
    self.receivedTime = receivedTime
  }
}

package enum MarketEvent: Sendable, Hashable {
  /// Replaces the book: the first state, or recovery after a gap.
  case snapshot(BookSnapshot)
  case delta(BookDelta)
  case trade(Trade)
  case top(TopOfBook)
  /// The book is tainted: not to be trusted until the next snapshot.
  case stale(InstrumentID, reason: String)
  case status(TradingStatus)

  package var instrument: InstrumentID {
    switch self {
    case .snapshot(let snapshot): snapshot.instrument
    case .delta(let delta): delta.instrument
    case .trade(let trade): trade.instrument
    case .top(let top): top.instrument
    case .stale(let instrument, _): instrument
    case .status(let status): status.instrument
    }
  }

  /// When it was received; nil for what was not, but concluded.
  package var receivedTime: Instant? {
    switch self {
    case .snapshot(let snapshot): snapshot.receivedTime
    case .delta(let delta): delta.receivedTime
    case .trade(let trade): trade.receivedTime
    case .top(let top): top.receivedTime
    case .status(let status): status.receivedTime
    case .stale: nil
    }
  }
}
