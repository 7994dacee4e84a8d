internal import Chrono
internal import Units
internal import Venue

/// A trade as everyone sees it.
struct PublicTrade: Hashable {
  let id: UInt64
  let price: Price
  let quantity: Quantity
  let aggressor: Side
  let time: Instant
}

/// One market of the exchange: its rules, its book, the background flow and the feed.
struct ExchangeMarket {
  let settings: SimulatedMarket
  var engine: MarketEngine
  var flow: BackgroundFlow?
  var feed: MarketFeed
  var isHalted = false
  /// Its orders are told at the end of each window.
  var tellsOrders = false
  /// Trade ids of a market have no holes.
  var nextTradeID: UInt64
  private var nextPreventedID: UInt64 = 1
  private(set) var recentTrades: [PublicTrade] = []

  static let recentTradesMax = 1_000

  init(
    settings: SimulatedMarket, engine: MarketEngine, flow: BackgroundFlow?, firstUpdateID: UInt64,
    firstTradeID: UInt64
  ) {
    self.settings = settings
    self.engine = engine
    self.flow = flow
    self.feed = MarketFeed(firstUpdateID: firstUpdateID)
    self.nextTradeID = firstTradeID
  }

  mutating func takeTradeID() -> UInt64 {
    defer { nextTradeID += 1 }
    return nextTradeID
  }

  mutating func takePreventedID() -> UInt64 {
    defer { nextPreventedID += 1 }
    return nextPreventedID
  }

  mutating func traded(_ trade: PublicTrade) {
    // Trimmed by halves, so that a trade costs O(1) on average.
    if recentTrades.count >= 2 * Self.recentTradesMax {
      recentTrades.removeFirst(Self.recentTradesMax)
    }
    recentTrades.append(trade)
  }
}

extension ExchangeMarket {
  /// The update id of the book as it stands.
  var lastUpdateID: UInt64 { engine.playback?.lastUpdateID ?? feed.lastUpdateID }

  /// GET /api/v3/depth.
  func snapshot(limit: Int) -> [UInt8] {
    settings.depthSnapshot(
      updateID: lastUpdateID, bids: engine.levels(.buy, max: limit),
      asks: engine.levels(.sell, max: limit))
  }
}
