/// The REST endpoints that the simulator answers, with their documented request weights.
enum VenueEndpoint: String, CaseIterable {
  case ping = "GET /api/v3/ping"
  case time = "GET /api/v3/time"
  case exchangeInformation = "GET /api/v3/exchangeInfo"
  case depth = "GET /api/v3/depth"
  case trades = "GET /api/v3/trades"
  case bookTicker = "GET /api/v3/ticker/bookTicker"
  case placeOrder = "POST /api/v3/order"
  case cancelOrder = "DELETE /api/v3/order"
  case queryOrder = "GET /api/v3/order"
  case openOrders = "GET /api/v3/openOrders"
  case cancelOpenOrders = "DELETE /api/v3/openOrders"
  case cancelReplace = "POST /api/v3/order/cancelReplace"
  case amendOrder = "PUT /api/v3/order/amend/keepPriority"
  case account = "GET /api/v3/account"
  case myTrades = "GET /api/v3/myTrades"
  case openListenKey = "POST /api/v3/userDataStream"
  case extendListenKey = "PUT /api/v3/userDataStream"
  case closeListenKey = "DELETE /api/v3/userDataStream"

  enum Security {
    case open
    /// X-MBX-APIKEY alone.
    case key
    /// Key, timestamp and signature.
    case signed
  }

  var security: Security {
    switch self {
    case .ping, .time, .exchangeInformation, .depth, .trades, .bookTicker: .open
    case .openListenKey, .extendListenKey, .closeListenKey: .key
    case .placeOrder, .cancelOrder, .queryOrder, .openOrders, .cancelOpenOrders, .cancelReplace,
      .amendOrder, .account, .myTrades:
      .signed
    }
  }

  /// Requests whose answer may be lost after they are carried out.
  var isOrderEntry: Bool {
    switch self {
    case .placeOrder, .cancelOrder, .cancelOpenOrders, .cancelReplace, .amendOrder: true
    default: false
    }
  }

  func weight(_ parameters: RequestParameters) throws(DialectError) -> Int {
    switch self {
    case .ping, .time, .placeOrder, .cancelOrder, .cancelOpenOrders, .cancelReplace: 1
    case .exchangeInformation, .account, .myTrades: 20
    case .trades: 25
    case .queryOrder, .amendOrder: 4
    case .openListenKey, .extendListenKey, .closeListenKey: 2
    case .bookTicker: parameters["symbol"] == nil ? 4 : 2
    case .openOrders: parameters["symbol"] == nil ? 80 : 6
    case .depth:
      switch try parameters.integer("limit") ?? 100 {
      case ...100: 5
      case ...500: 25
      case ...1_000: 50
      default: 250
      }
    }
  }
}
