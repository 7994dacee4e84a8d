internal import Chrono
internal import Contracts
internal import Orders
internal import Units
internal import Venue

/// What travels on the trading-gateway's event bus.
enum TradingEvent: Sendable {
  /// The touch of a book has changed; nil: the book is not to be trusted.
  case marketUpdate(InstrumentID, TopOfBook?)
  case signal(TradingV1.Signal)
  case orderRequest(clientOrderID: String, InstrumentID, strategy: String)
  case executionReport(OmsV1.OrderEvent)
  case riskAlert(RejectReason, text: String)

  /// The label of its counter.
  var kind: String {
    switch self {
    case .marketUpdate: "market_update"
    case .signal: "signal"
    case .orderRequest: "order_request"
    case .executionReport: "execution_report"
    case .riskAlert: "risk_alert"
    }
  }
}
