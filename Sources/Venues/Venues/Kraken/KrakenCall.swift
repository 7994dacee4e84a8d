/// The private REST calls that we make, and what Kraken counts them as.
enum KrakenCall: String, Sendable {
  case addOrder = "AddOrder"
  case amendOrder = "AmendOrder"
  case cancelOrder = "CancelOrder"
  case openOrders = "OpenOrders"
  case closedOrders = "ClosedOrders"
  case queryOrders = "QueryOrders"
  case queryTrades = "QueryTrades"
  case tradesHistory = "TradesHistory"
  case balanceEx = "BalanceEx"
  case token = "GetWebSocketsToken"

  var path: String { "/0/private/\(rawValue)" }

  var purpose: RequestPurpose {
    switch self {
    case .addOrder, .amendOrder: .order
    case .cancelOrder: .cancel
    case .openOrders, .closedOrders, .queryOrders, .queryTrades, .tradesHistory, .balanceEx, .token:
      .account
    }
  }

  /// Hundredths of the call counter. Orders have counters of their own; histories count double.
  var cost: Int {
    switch self {
    case .addOrder, .amendOrder, .cancelOrder: 0
    case .closedOrders, .tradesHistory, .queryTrades: 2_00
    case .openOrders, .queryOrders, .balanceEx, .token: 1_00
    }
  }
}
