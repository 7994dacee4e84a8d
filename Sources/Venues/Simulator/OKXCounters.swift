internal import Chrono
internal import JSON

/// OKX's limits: so many requests to an endpoint in two seconds (www.okx.com/docs-v5, at each of them),
/// by address for what is public, by account for the rest, and for order paths by instrument too. REST
/// and WebSocket share them.
struct OKXCounters {
  private struct Rule {
    let max: Int
    var seconds: Int64 = 2
    var isOfInstrument = false
    /// Orders are counted, not requests.
    var countsOrders = false
  }

  private struct Window {
    var index: Int64
    var used: Int
  }

  private static let rules: [String: Rule] = [
    "POST trade/order": Rule(max: 60, isOfInstrument: true),
    "POST trade/amend-order": Rule(max: 60, isOfInstrument: true),
    "POST trade/cancel-order": Rule(max: 60, isOfInstrument: true),
    "POST trade/batch-orders": Rule(max: 300, isOfInstrument: true, countsOrders: true),
    "POST trade/amend-batch-orders": Rule(max: 300, isOfInstrument: true, countsOrders: true),
    "POST trade/cancel-batch-orders": Rule(max: 300, isOfInstrument: true, countsOrders: true),
    "POST trade/order-algo": Rule(max: 20, isOfInstrument: true),
    "POST trade/amend-algos": Rule(max: 20, isOfInstrument: true),
    "POST trade/cancel-algos": Rule(max: 20, isOfInstrument: true, countsOrders: true),
    "GET trade/order": Rule(max: 60, isOfInstrument: true),
    "GET trade/orders-pending": Rule(max: 60),
    "GET trade/orders-algo-pending": Rule(max: 20),
    "GET trade/fills": Rule(max: 60),
    "GET trade/fills-history": Rule(max: 10),
    "GET account/balance": Rule(max: 10),
    "GET public/time": Rule(max: 10),
    "GET public/instruments": Rule(max: 20),
    "GET market/books": Rule(max: 40),
    "GET market/trades": Rule(max: 100),
    "GET market/history-trades": Rule(max: 20),
    "GET system/status": Rule(max: 1, seconds: 5),
  ]

  /// New and amended orders of an account, whatever their endpoint and instrument ("Sub-account rate
  /// limit").
  private static let accountOrders = Rule(max: 1_000)
  /// Of an endpoint without a documented limit of its own.
  private static let otherMax = 20
  /// Windows remembered at a time; beyond it all begin anew.
  private static let windowsMax = 10_000

  private let factor: Int
  private var windows: [String: Window] = [:]

  /// `factor`: how many times as much as documented is let through.
  init(factor: Int) { self.factor = factor }

  /// `instruments`: of each order of a request; those of a query have one, others none.
  mutating func spend(
    _ endpoint: String, _ who: String, _ instruments: [String], now: Instant
  ) throws(OKXError) {
    let rule = Self.rules[endpoint] ?? Rule(max: Self.otherMax)
    let named = rule.isOfInstrument ? Set(instruments).sorted() : [""]
    for instrument in named.isEmpty ? [""] : named {
      let amount = rule.countsOrders ? instruments.count { $0 == instrument } : 1
      guard take("\(endpoint) \(who) \(instrument)", amount, of: rule, now) else {
        throw .tooManyRequests
      }
    }
    guard Self.countsForAccount(endpoint) else { return }
    guard take("orders \(who)", max(1, instruments.count), of: Self.accountOrders, now) else {
      throw OKXError(
        status: 429, 50_061, "You've reached the maximum order rate limit for this account.")
    }
  }

  private static func countsForAccount(_ endpoint: String) -> Bool {
    [
      "POST trade/order", "POST trade/batch-orders", "POST trade/amend-order",
      "POST trade/amend-batch-orders",
    ].contains(endpoint)
  }

  private mutating func take(
    _ name: String, _ amount: Int, of rule: Rule, _ now: Instant
  ) -> Bool {
    let index = now.seconds / rule.seconds
    if windows.count > Self.windowsMax { windows.removeAll() }
    var window = windows[name] ?? Window(index: index, used: 0)
    if window.index != index { window = Window(index: index, used: 0) }
    window.used += amount
    windows[name] = window
    return window.used <= rule.max * factor
  }
}

extension SimulatedVenue {
  /// Orders count by REST and by WebSocket alike: `endpoint` is REST's.
  mutating func okxCount(
    _ endpoint: String, _ list: [JSONValue], _ account: Int, now: Instant
  ) throws(OKXError) {
    try okxCounters.spend(
      endpoint, exchange.accounts[account].apiKey, list.map { $0["instId"]?.string ?? "" },
      now: now)
  }
}
