internal import Chrono
internal import Venue

/// OKX's limits: so many requests of a path in two seconds, for order paths of each instrument.
///
/// (okx.com/docs-v5, at each path, and "Sub-account rate limit".)
enum OKXLimits {
  /// Orders, amendments and all that sub-accounts send of them.
  static let accountOrders = "orders of the account"
  private static let accountOrdersMax = 1_000
  private static let window = RequestLimit.Rule.window(.seconds(2))

  /// Requests in two seconds, whoever they are about.
  private static let paths: [(String, Int)] = [
    ("/api/v5/trade/orders-pending", 60), ("/api/v5/trade/fills", 60),
    ("/api/v5/trade/fills-history", 10), ("/api/v5/account/balance", 10),
    ("/api/v5/public/instruments", 20), ("/api/v5/public/time", 10),
    ("/api/v5/market/history-trades", 20),
  ]

  /// Requests in two seconds for one instrument.
  private static let instrumentPaths: [(String, Int)] = [
    ("POST /api/v5/trade/order", 60), ("POST /api/v5/trade/amend-order", 60),
    ("POST /api/v5/trade/cancel-order", 60), ("GET /api/v5/trade/order", 60),
    ("POST /api/v5/trade/cancel-batch-orders", 300),
  ]

  /// For the registry.
  static var registered: [RequestLimit] {
    limits(OwnLimits(requestWeightMax: nil, orderRateMax: nil))
  }

  /// By the names of the registry.
  static func limits(_ own: OwnLimits) -> [RequestLimit] {
    [RequestLimit(accountOrders, max: own.orderRateMax ?? accountOrdersMax, window)]
      + paths.map { RequestLimit("GET \($0.0)", max: $0.1, window) }
      + instrumentPaths.map { RequestLimit("\($0.0) of an instrument", max: $0.1, window) }
  }

  /// How many new orders are taken: of the account, and of each instrument.
  static func orderLimits(_ own: OwnLimits) -> [OrderLimit] {
    limits(own).compactMap { limit in
      switch limit.name {
      case accountOrders: OrderLimit(limit, unit: 1, isPerInstrument: false)
      case "POST /api/v5/trade/order of an instrument":
        OrderLimit(limit, unit: 1, isPerInstrument: true)
      default: nil
      }
    }
  }

  static func limits(_ symbols: [String], _ settings: VenueSettings) -> [RequestLimit] {
    var limits = paths.map { RequestLimit("GET \($0.0)", max: $0.1, window) }
    limits.append(
      RequestLimit(accountOrders, max: settings.orderRateMax ?? accountOrdersMax, window))
    for symbol in symbols {
      for (path, most) in instrumentPaths {
        limits.append(RequestLimit("\(path) \(symbol)", max: most, window))
      }
    }
    return limits
  }

  /// By the names of the registry: of a path that every instrument has its own limit of, the one with
  /// the least left.
  static func fullest(_ uses: [LimitUse]) -> [LimitUse] {
    var fullest: [String: Int] = [:]
    var paths: [LimitUse] = []
    for use in uses {
      // Only instruments' limits are of three words: method, path and instrument.
      let words = use.name.split(separator: " ")
      if words.count == 3, words[1].hasPrefix("/") {
        let path = "\(words[0]) \(words[1])"
        fullest[path] = max(fullest[path] ?? 0, use.used)
      } else {
        paths.append(use)
      }
    }
    return paths
      + instrumentPaths.map {
        LimitUse("\($0.0) of an instrument", max: $0.1, used: fullest[$0.0] ?? 0)
      }
  }

  static func costs(
    _ method: String, _ path: String, _ instrument: String, _ amount: Int
  ) -> [RequestBudget.Cost] {
    let name = "\(method) \(path)" + (instrument.isEmpty ? "" : " \(instrument)")
    var costs = [RequestBudget.Cost(name, amount)]
    if path == "/api/v5/trade/order" || path == "/api/v5/trade/amend-order", method == "POST" {
      costs.append(RequestBudget.Cost(accountOrders, 1))
    }
    return costs
  }
}
