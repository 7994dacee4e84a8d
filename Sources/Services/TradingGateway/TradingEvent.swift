internal import Chrono
internal import Contracts
internal import Orders
internal import Units
internal import Venue

/// What travels on the trading-gateway's event bus.
enum TradingEvent: Sendable {
  /// The touch of a book has changed; nil: the book is not to be trusted.
  case marketUpdate(InstrumentID, TopOfBook?, PriceArrival?)
  case signal(TradingV1.Signal)
  case orderRequest(clientOrderID: String, InstrumentID, strategy: String)
  case executionReport(OmsV1.OrderEvent)
  case riskAlert(RejectReason, text: String)

  enum Kind: String, CaseIterable {
    case marketUpdate = "market_update"
    case signal
    case orderRequest = "order_request"
    case executionReport = "execution_report"
    case riskAlert = "risk_alert"
  }

  var kind: Kind {
    switch self {
    case .marketUpdate: .marketUpdate
    case .signal: .signal
    case .orderRequest: .orderRequest
    case .executionReport: .executionReport
    case .riskAlert: .riskAlert
    }
  }

  /// Where it waits, and for market updates the key of their queue.
  var lane: (BusLane, key: Int) {
    switch self {
    case .executionReport: (.orders, 0)
    case .signal, .orderRequest, .riskAlert: (.signals, 0)
    case .marketUpdate(let instrument, _, _): (.marketData, Int(instrument.index))
    }
  }
}

/// Where a price came from, and when the market-connector received what it was made of.
struct PriceArrival: Sendable {
  let source: PriceSource
  let received: Instant
}
