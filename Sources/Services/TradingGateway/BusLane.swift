internal import EventBus

/// The event bus's lanes, the most urgent first: what venues and the oms say of orders goes before
/// signals, and both before market data.
///
/// There is no lane for metrics: they go to the registry, not over the bus.
enum BusLane: Int, CaseIterable {
  case orders
  case signals
  case marketData

  /// As in metrics and logs.
  var name: String {
    switch self {
    case .orders: "orders"
    case .signals: "signals"
    case .marketData: "market_data"
    }
  }

  /// So many instruments, at least, have a queue of their own.
  static let shards = 16

  static func bus(_ config: Config) -> PriorityBus<TradingEvent> {
    PriorityBus(
      lanes: allCases.map { lane in
        switch lane {
        // Execution reports hold their stream back rather than be lost.
        case .orders: Lane(lane.name, capacity: config.ordersQueueMax, overflow: .wait)
        case .signals: Lane(lane.name, capacity: config.signalsQueueMax, overflow: .refuse)
        case .marketData:
          Lane(lane.name, capacity: config.marketQueueMax, overflow: .dropOldest, shards: shards)
        }
      })
  }
}
