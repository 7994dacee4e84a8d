internal import Calls
internal import Contracts
internal import Journal
internal import Orders
internal import Translation
internal import Units
internal import Venue

/// The router's words as events of orders.
extension OrderDesk {
  func event(
    _ report: ExecutionV1.ExecutionReport, _ row: OrderRow
  ) throws(RPCError) -> OrderEvent {
    let instrument = log.state.instrument(of: row)
    let reason = RejectReason(report.rejectReason) ?? .venuePolicy
    switch report.kind {
    case .acknowledged: return .venueAcknowledged(venueOrderID: report.venueOrderId)
    case .fill:
      guard let fill = report.fill else { throw RPCError(.dataLoss, "a fill report has no fill") }
      let told = try VenueFill(fill, instrument)
      // The router has its fills from the venue by execution id: that is the venue's word, also when
      // the order has ended meanwhile.
      return .filled(told, venueFilled: row.lifecycle.filledQuantity + told.quantity)
    case .cancelled: return .cancelled(venueFilled: nil, text: report.text)
    case .cancelRejected: return .cancelRejected(reason, text: report.text)
    case .replaced:
      return .replaced(venueOrderID: report.venueOrderId.isEmpty ? nil : report.venueOrderId)
    case .replaceRejected: return .replaceRejected(reason, text: report.text)
    case .rejected: return .rejected(reason, text: report.text)
    case .expired: return .expired(venueFilled: nil)
    case .unknown: return .becameUnknown(reason: report.text)
    case .reappeared:
      let price = try instrument.raw(report.price, scale: instrument.priceScale)
      let quantity = try instrument.raw(report.quantity, scale: instrument.quantityScale)
      return .reappeared(
        OrderTerms(price: price.map(Price.init), quantity: Quantity(quantity ?? 0)),
        venueOrderID: report.venueOrderId)
    case .setAside: return .setAside(report.text)
    default: throw RPCError(.dataLoss, "a report has no kind \(report.kind.rawValue)")
    }
  }
}

extension OrderEvent {
  /// Of the texts that its record holds, once with the event and once with the order.
  var textBytes: Int {
    switch self {
    case .cancelRequested(let text), .becameUnknown(let text), .cancelRejected(_, let text),
      .replaceRejected(_, let text), .rejected(_, let text), .cancelled(_, let text),
      .setAside(let text):
      2 * text.utf8.count
    case .accepted, .sentToVenue, .venueAcknowledged, .filled, .replaceRequested, .replaced,
      .expired, .reappeared:
      0
    }
  }
}
