import Units
import Venue

/// A hearer's own book of one instrument, built from what an adapter told and nothing else, and as
/// simple as can be.
struct BookFollower: Sendable {
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
  private let instrument: InstrumentID
  private var bids: [Price: Quantity] = [:]
  private var asks: [Price: Quantity] = [:]

  init(of instrument: InstrumentID) { self.instrument = instrument }

  mutating func hear(_ event: MarketEvent) {
    guard event.instrument == instrument else { return }
    switch event {
    case .snapshot(let snapshot):
      bids = Self.applied([:], snapshot.bids)
      asks = Self.applied([:], snapshot.asks)
      (updateID, isStale) = (snapshot.updateID, false)
      snapshots += 1
    case .delta(let delta):
      if isStale { mergedOntoStale += 1 }
      bids = Self.applied(bids, delta.bids)
      asks = Self.applied(asks, delta.asks)
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

  private static func applied(
    _ side: consuming [Price: Quantity], _ levels: [PriceLevel]
  ) -> [Price: Quantity] {
    for level in levels { side[level.price] = level.quantity == .zero ? nil : level.quantity }
    return side
  }

  /// Best first.
  func levels(_ side: Side) -> [PriceLevel] {
    let sorted =
      side == .buy ? bids.sorted { $0.key > $1.key } : asks.sorted { $0.key < $1.key }
    return sorted.map { PriceLevel(price: $0.key, quantity: $0.value) }
  }
}
