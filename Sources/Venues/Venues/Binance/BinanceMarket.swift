/// Which of Binance's exchanges: they share a dialect, with differences.
package enum BinanceMarket: Sendable, Hashable, CaseIterable {
  case spot
  /// Futures margined in stablecoins.
  case usdm
  /// Futures margined in the coin itself.
  case coinm

  package var restPath: String {
    switch self {
    case .spot: "/api/v3"
    case .usdm: "/fapi/v1"
    case .coinm: "/dapi/v1"
    }
  }

  /// Documented weights of GET depth by `limit`.
  package func depthWeight(limit: Int) -> Int {
    switch (self, limit) {
    case (.spot, ...100): 5
    case (.spot, ...500): 25
    case (.spot, ...1_000): 50
    case (.spot, _): 250
    case (_, ...50): 2
    case (_, ...100): 5
    case (_, ...500): 10
    default: 20
    }
  }

  /// The most levels a side that a snapshot may have.
  package var depthMax: Int { self == .spot ? 5_000 : 1_000 }

  package var recentTradesWeight: Int { self == .spot ? 25 : 5 }
  package var instrumentsWeight: Int { self == .spot ? 20 : 1 }
  /// Request weight of one address in a minute.
  package var weightPerMinuteMax: Int { self == .spot ? 6_000 : 2_400 }
  static let weightLimit = "REQUEST_WEIGHT"
  static let orderLimit = "ORDERS"

  /// The documented limits, or our own in their place.
  func limits(weightMax: Int? = nil, orderMax: Int? = nil) -> [RequestLimit] {
    var weight = RequestLimit(
      Self.weightLimit, max: weightMax ?? weightPerMinuteMax, .window(.seconds(60)))
    weight.keptForCancels = weight.max / 20
    guard self == .spot else { return [weight] }
    return [weight, RequestLimit(Self.orderLimit, max: orderMax ?? 100, .window(.seconds(10)))]
  }

  /// Streams of one connection; more are refused.
  package var streamsMax: Int { self == .spot ? 1_024 : 200 }

  /// Futures chain deltas by the last id of the one before (`pu`); spot ids have no holes.
  var chainsByPrevious: Bool { self != .spot }

  var streams: [String] { ["depth@100ms", "trade", "bookTicker"] }

  /// The documented request weights.
  func weight(of method: String, _ path: String, _ parameters: [(String, String)]) -> Int {
    func limit(_ standard: Int) -> Int {
      parameters.first { $0.0 == "limit" }.flatMap { Int($0.1) } ?? standard
    }
    switch path.split(separator: "/").last {
    case "depth": return depthWeight(limit: limit(100))
    case "trades": return recentTradesWeight
    case "exchangeInfo": return instrumentsWeight
    case "account", "myTrades": return 20
    case "openOrders" where method == "GET": return parameters.isEmpty ? 80 : 6
    case "order" where method == "GET", "keepPriority": return 4
    case "userDataStream": return 2
    default: return 1
    }
  }
}
