/// The rules of the gate, in the order in which they are asked: the first that refuses is the
/// answer.
///
/// Source document 000 gives the order of speed: rate, size, position, notional, daily loss. Before
/// them come what costs nothing (the kill switch, an order that is none), after them what is
/// optional.
package enum RiskRule: UInt8, Sendable, Hashable, CaseIterable {
  case killSwitch = 0
  /// A known symbol that trades, a positive quantity, a positive price.
  case wellFormed = 1
  /// Halted: nothing passes. Reducing: only what brings the position nearer to zero.
  case tradingState = 2
  case ordersPerSecond = 3
  case ordersPerMinute = 4
  case orderSize = 5
  case position = 6
  case notional = 7
  case dailyLoss = 8
  case grossExposure = 9
  case priceBand = 10

  /// Lower snake case, as the label of a metric: `orders_per_second`.
  package var name: String {
    switch self {
    case .killSwitch: "kill_switch"
    case .wellFormed: "well_formed"
    case .tradingState: "trading_state"
    case .ordersPerSecond: "orders_per_second"
    case .ordersPerMinute: "orders_per_minute"
    case .orderSize: "order_size"
    case .position: "position"
    case .notional: "notional"
    case .dailyLoss: "daily_loss"
    case .grossExposure: "gross_exposure"
    case .priceBand: "price_band"
    }
  }
}
