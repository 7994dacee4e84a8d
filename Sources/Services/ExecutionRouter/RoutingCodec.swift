internal import Calls
internal import Chrono
internal import Contracts
internal import Execution
internal import Orders
internal import Translation
internal import Units
internal import Venue

/// Events of the ledger to and from records of the journal.
struct RoutingCodec {
  let instrument: Instrument

  // MARK: Out

  func record(_ event: RoutingEvent, _ now: Instant) -> ExecutionV1.JournalRecord {
    var record = ExecutionV1.JournalRecord()
    record.timeNs = UInt64(max(0, now.nanoseconds))
    switch event {
    case .routed(let parent):
      var route = ExecutionV1.RouteOrderRequest()
      route.order = order(parent)
      record.record = .route(route)
    case .cancelRequested(let parent):
      var cancel = ExecutionV1.CancelRoutedOrderRequest()
      cancel.orderId = parent.description
      record.record = .cancel(cancel)
    case .replaceRequested(let parent, let version, let terms, let amendable):
      var replace = ExecutionV1.ReplaceRoutedOrderRequest()
      replace.orderId = parent.description
      replace.version = version
      replace.price = terms.price.map { instrument.wire($0) }
      replace.quantity = instrument.wire(terms.quantity)
      record.record = .replace(replace)
      record.amendable = .init(rawValue: Int32(amendable.rawValue))
    case .reported(let report): record.record = .child(child(report, .resolved))
    case .appeared(let report): record.record = .child(child(report, .appeared))
    case .settled(let id): record.record = .child(child(id, .settled, ""))
    case .refused(let id, let reason, let text):
      record.record = .child(child(id, .rejected, text, reason))
    case .silent(let id, let reason): record.record = .child(child(id, .unknown, reason))
    case .cancelUnproven(let id, let text):
      record.record = .child(child(id, .cancelIntended, text))
    case .denied(let id): record.record = .child(child(id, .cancelled, "denied"))
    case .cancelRejected(let id, let reason, let text):
      record.record = .child(child(id, .cancelRejected, text, reason))
    case .amendRefused(let id, let version, let reason, let text, let notInPlace):
      var child = child(id, .amendRejected, text, reason)
      (child.version, child.notInPlace) = (version, notInPlace)
      record.record = .child(child)
    case .amendSilent(let id, let version, let reason):
      var child = child(id, .amendUnknown, reason)
      child.version = version
      record.record = .child(child)
    case .amendSeen(let id, let version, let terms, let isSettled):
      var child = child(id, .amendSeen, "")
      child.version = version
      child.price = terms.price.map { instrument.wire($0) }
      child.quantity = instrument.wire(terms.quantity)
      child.settled = isSettled
      record.record = .child(child)
    }
    return record
  }

  private func order(_ parent: ParentOrder) -> OmsV1.Order {
    var order = OmsV1.Order()
    order.orderId = parent.id.description
    order.venue = instrument.venue.name
    order.symbol = instrument.symbol
    order.side = TypeV1.Side(parent.side)
    order.type = TypeV1.OrderType(parent.type)
    order.timeInForce = TypeV1.TimeInForce(parent.timeInForce)
    order.price = parent.terms.price.map { instrument.wire($0) }
    order.quantity = instrument.wire(parent.terms.quantity)
    return order
  }

  private func child(
    _ id: String, _ kind: ExecutionV1.ChildRecord.Kind, _ text: String,
    _ reason: RejectReason? = nil
  ) -> ExecutionV1.ChildRecord {
    var child = ExecutionV1.ChildRecord()
    child.childOrderId = id
    child.kind = kind
    child.text = text
    if let reason { child.rejectReason = TypeV1.RejectReason(reason) }
    return child
  }

  private func child(
    _ report: VenueReport, _ kind: ExecutionV1.ChildRecord.Kind
  ) -> ExecutionV1.ChildRecord {
    var child = child(report.clientOrderID, kind, report.rejectText, report.rejectReason)
    child.venueOrderId = report.venueOrderID
    child.fill = report.fill.map { MarketV1.Fill($0, instrument) }
    child.venueFilled = instrument.wire(report.filledQuantity)
    child.status = TypeV1.OrderStatus(report.status)
    return child
  }

  // MARK: In

  func event(_ record: ExecutionV1.JournalRecord) throws -> RoutingEvent? {
    switch record.record {
    case .route(let route):
      guard let order = route.order else { throw Self.damaged("routes no order") }
      return .routed(try ParentOrder(order, instrument))
    case .cancel(let cancel): return .cancelRequested(parent: try Self.orderID(cancel.orderId))
    case .replace(let replace):
      guard let amendable = Amendable(rawValue: UInt8(clamping: record.amendable.rawValue)) else {
        throw Self.damaged("has a replacement of kind \(record.amendable.rawValue)")
      }
      return .replaceRequested(
        parent: try Self.orderID(replace.orderId), version: replace.version, try terms(replace),
        amendable)
    case .child(let child): return try event(child, record.timeNs)
    case .instrument, .report, nil: return nil
    }
  }

  func terms(_ replace: ExecutionV1.ReplaceRoutedOrderRequest) throws(RPCError) -> OrderTerms {
    guard let quantity = replace.quantity else { throw .invalid("quantity", "is missing") }
    return OrderTerms(
      price: try replace.price.map { wire throws(RPCError) in
        try instrument.price(wire, field: "price")
      },
      quantity: try instrument.quantity(quantity, field: "quantity"))
  }

  private func event(
    _ child: ExecutionV1.ChildRecord, _ time: UInt64
  ) throws -> RoutingEvent {
    let id = child.childOrderId
    let reason = RejectReason(child.rejectReason) ?? .venuePolicy
    switch child.kind {
    case .resolved: return .reported(try report(child, time))
    case .appeared: return .appeared(try report(child, time))
    case .settled: return .settled(childID: id)
    case .rejected: return .refused(childID: id, reason, text: child.text)
    case .unknown: return .silent(childID: id, reason: child.text)
    case .cancelIntended: return .cancelUnproven(childID: id, text: child.text)
    case .cancelled: return .denied(childID: id)
    case .cancelRejected: return .cancelRejected(childID: id, reason, text: child.text)
    case .amendRejected:
      return .amendRefused(
        childID: id, version: child.version, reason, text: child.text,
        notInPlace: child.notInPlace)
    case .amendUnknown:
      return .amendSilent(childID: id, version: child.version, reason: child.text)
    case .amendSeen:
      let price = try instrument.raw(child.price, scale: instrument.priceScale)
      let quantity = try instrument.raw(child.quantity, scale: instrument.quantityScale)
      let terms = OrderTerms(price: price.map(Price.init), quantity: Quantity(quantity ?? 0))
      return .amendSeen(
        childID: id, version: child.version, terms, isSettled: child.settled)
    default: throw Self.damaged("has a child record of kind \(child.kind.rawValue)")
    }
  }

  private func report(
    _ child: ExecutionV1.ChildRecord, _ time: UInt64
  ) throws(RPCError) -> VenueReport {
    var report = MarketV1.VenueReport()
    report.clientOrderId = child.childOrderId
    report.venueOrderId = child.venueOrderId
    report.status = child.status
    report.filledQuantity = child.venueFilled
    report.fill = child.fill
    report.rejectReason = child.rejectReason
    report.rejectText = child.text
    report.exchangeTimeNs = time
    return try VenueReport(report, instrument)
  }

  static func orderID(_ text: String) throws(RPCError) -> OrderID {
    guard let id = OrderID(parsing: text) else {
      throw .invalid("orderId", "\(text.prefix(64)) is no order id")
    }
    return id
  }

  static func damaged(_ what: String) -> RPCError {
    RPCError(.dataLoss, "a record of the execution-router's journal \(what)")
  }

  // MARK: Reports

  func report(
    _ report: ParentReport, of parent: OrderID, _ now: Instant
  ) -> ExecutionV1.ExecutionReport {
    var message = ExecutionV1.ExecutionReport()
    message.orderId = parent.description
    message.timeNs = UInt64(max(0, now.nanoseconds))
    message.kind = Self.kind(of: report)
    switch report {
    case .acknowledged(let id):
      message.venueOrderId = id
    case .filled(let fill, let id):
      message.venueOrderId = id
      message.fill = MarketV1.Fill(fill, instrument)
    case .cancelled(let text):
      message.text = text
    case .cancelRejected(let reason, let text):
      (message.rejectReason, message.text) = (TypeV1.RejectReason(reason), text)
    case .replaced(let terms, let id):
      message.venueOrderId = id
      message.price = terms.price.map { instrument.wire($0) }
      message.quantity = instrument.wire(terms.quantity)
    case .replaceRejected(let reason, let text):
      (message.rejectReason, message.text) = (TypeV1.RejectReason(reason), text)
    case .rejected(let reason, let text):
      (message.rejectReason, message.text) = (TypeV1.RejectReason(reason), text)
    case .expired: break
    case .unknown(let reason):
      message.text = reason
    case .reappeared(let terms, let id):
      message.venueOrderId = id
      message.price = terms.price.map { instrument.wire($0) }
      message.quantity = instrument.wire(terms.quantity)
    case .setAside(let text):
      message.text = text
    }
    return message
  }

  static func kind(of report: ParentReport) -> ExecutionV1.ExecutionReport.Kind {
    switch report {
    case .acknowledged: .acknowledged
    case .filled: .fill
    case .cancelled: .cancelled
    case .cancelRejected: .cancelRejected
    case .replaced: .replaced
    case .replaceRejected: .replaceRejected
    case .rejected: .rejected
    case .expired: .expired
    case .unknown: .unknown
    case .reappeared: .reappeared
    case .setAside: .setAside
    }
  }
}

extension ParentOrder {
  init(_ wire: OmsV1.Order, _ instrument: Instrument) throws(RPCError) {
    let type = try OrderType(wire.type, field: "order.type")
    guard let quantity = wire.quantity else {
      throw RPCError.invalid("order.quantity", "is missing")
    }
    guard (wire.price != nil) == (type == .limit) else {
      throw RPCError.invalid("order.price", "belongs to limit orders, and only to them")
    }
    var terms = OrderTerms(
      price: nil, quantity: try instrument.quantity(quantity, field: "order.quantity"))
    if let price = wire.price { terms.price = try instrument.price(price, field: "order.price") }
    self.init(
      id: try RoutingCodec.orderID(wire.orderId), instrument: instrument.id,
      side: try Side(wire.side, field: "order.side"), type: type,
      timeInForce: try TimeInForce.wire(wire.timeInForce, field: "order.timeInForce") ?? .gtc,
      terms: terms)
  }
}
