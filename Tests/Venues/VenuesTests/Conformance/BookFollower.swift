import OrderBook
import Units
import Venue

/// A hearer's own book of one instrument, built from what an adapter told and nothing else.
struct BookFollower {
  private(set) var isStale = true
  private(set) var updateID: UInt64 = 0
  private(set) var snapshots = 0
  private(set) var deltas = 0
  private(set) var staleReasons: [String] = []
  /// Changes that were told of a book that was not to be trusted: there must be none.
  private(set) var mergedOntoStale = 0
  private(set) var statuses: [TradingStatus] = []
  private(set) var trades: [Trade] = []
  /// The venue's time of the last delta, and ours.
  private(set) var lastDelta: BookDelta?
  private let book = PriceLevelBook()

  init(_ events: [MarketEvent], of instrument: InstrumentID) {
    for event in events where event.instrument == instrument {
      switch event {
      case .snapshot(let snapshot):
        book.apply(snapshot)
        (updateID, isStale) = (snapshot.updateID, false)
        snapshots += 1
      case .delta(let delta):
        if isStale { mergedOntoStale += 1 }
        book.apply(delta)
        updateID = delta.lastUpdateID
        lastDelta = delta
        deltas += 1
      case .stale(_, let reason):
        isStale = true
        staleReasons.append(reason)
      case .status(let status): statuses.append(status)
      case .trade(let trade): trades.append(trade)
      case .top: break
      }
    }
  }

  /// Best first.
  func levels(_ side: Side) -> [PriceLevel] {
    var levels: [PriceLevel] = []
    book.forEachLevel(side) { level in
      levels.append(level)
      return true
    }
    return levels
  }
}
