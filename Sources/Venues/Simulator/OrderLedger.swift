/// The accounts' orders and fills: what can be asked for later, bounded by age.
struct OrderLedger {
  private struct ClientKey: Hashable {
    let account: Int
    let market: Int
    let clientOrderID: String
  }

  private var orders: [UInt64: PrivateOrder] = [:]
  private var latest: [ClientKey: UInt64] = [:]
  private var open: Set<UInt64> = []
  /// Ids of closed orders, oldest first.
  private var closed: [UInt64] = []
  private(set) var trades: [PrivateTrade] = []
  private let historyMax: Int

  init(historyMax: Int) { self.historyMax = historyMax }

  subscript(id: UInt64) -> PrivateOrder? { orders[id] }

  var all: [PrivateOrder] { orders.values.sorted { $0.id < $1.id } }

  /// The order that carries this client id now: the open one, else the latest.
  func find(_ clientOrderID: String, account: Int, market: Int) -> PrivateOrder? {
    latest[ClientKey(account: account, market: market, clientOrderID: clientOrderID)]
      .flatMap { orders[$0] }
  }

  /// In the order of their ids.
  func openOrders(account: Int, market: Int?) -> [PrivateOrder] {
    open.compactMap { orders[$0] }
      .filter { $0.account == account && (market == nil || $0.market == market) }
      .sorted { $0.id < $1.id }
  }

  mutating func upsert(_ order: PrivateOrder) {
    let old = orders[order.id]
    let wasClosed = old.map { !$0.isOpen } ?? false
    orders[order.id] = order
    if let old, old.clientOrderID != order.clientOrderID, latest[key(of: old)] == old.id {
      latest[key(of: old)] = nil
    }
    let key = key(of: order)
    latest[key] = max(order.id, latest[key] ?? 0)
    if order.isOpen {
      open.insert(order.id)
    } else if !wasClosed {
      open.remove(order.id)
      closed.append(order.id)
      trimOrders()
    }
  }

  mutating func append(_ trade: PrivateTrade) {
    trades.append(trade)
    if trades.count > historyMax + historyMax / 4 { trades.removeFirst(trades.count - historyMax) }
  }

  private mutating func trimOrders() {
    guard closed.count > historyMax + historyMax / 4 else { return }
    for id in closed.prefix(closed.count - historyMax) {
      guard let order = orders.removeValue(forKey: id) else { continue }
      if latest[key(of: order)] == id { latest[key(of: order)] = nil }
    }
    closed.removeFirst(closed.count - historyMax)
  }

  private func key(of order: PrivateOrder) -> ClientKey {
    ClientKey(account: order.account, market: order.market, clientOrderID: order.clientOrderID)
  }
}
