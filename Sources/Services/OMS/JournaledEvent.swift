internal import Calls
internal import Chrono
internal import Contracts
internal import Orders
internal import ServiceKit
internal import Translation
internal import Units
internal import Venue
internal import Wire

/// One event between the domain and the journal's record, both ways.
struct JournaledEvent {
  var event: OrderEvent
  var time: Instant
  /// The router's report that caused it; the start for what began here.
  var report: LogPosition

  /// The record, with the order as it is after the event.
  func record(_ row: OrderRow, _ instrument: Instrument) -> OmsV1.JournalRecord {
    var published = OmsV1.OrderEvent()
    published.time = .init(time)
    published.kind = kind
    published.order = row.message(instrument)
    var journaled = OmsV1.JournaledEvent()
    journaled.reportSequence = report.sequence
    journaled.reportMark = report.mark
    switch event {
    case .filled(let fill, _):
      published.execution = execution(fill, row, instrument)
    case .venueAcknowledged(let id): journaled.venueOrderId = id
    case .replaced(let id): journaled.venueOrderId = id ?? ""
    case .replaceRequested(let terms):
      journaled.price = terms.price.map { instrument.wire($0) }
      journaled.quantity = instrument.wire(terms.quantity)
    case .cancelRequested(let reason), .becameUnknown(let reason): published.text = reason
    case .cancelRejected(_, let text), .replaceRejected(_, let text), .rejected(_, let text):
      published.text = text
    case .reappeared(let terms, let id):
      journaled.venueOrderId = id
      journaled.price = terms.price.map { instrument.wire($0) }
      journaled.quantity = instrument.wire(terms.quantity)
    case .cancelled(_, let text), .setAside(let text): published.text = text
    case .accepted: journaled.routerInstance = row.routerInstance
    case .sentToVenue, .expired: break
    }
    journaled.event = published
    var record = OmsV1.JournalRecord()
    record.record = .event(journaled)
    return record
  }

  private var kind: OmsV1.OrderEvent.Kind {
    switch event {
    case .accepted: .accepted
    case .venueAcknowledged, .sentToVenue: .acknowledged
    case .filled: .fill
    case .cancelRequested: .cancelRequested
    case .cancelled: .cancelled
    case .cancelRejected: .cancelRejected
    case .replaceRequested: .replaceRequested
    case .replaced: .replaced
    case .replaceRejected: .replaceRejected
    case .rejected: .rejected
    case .expired: .expired
    case .becameUnknown: .unknown
    case .reappeared: .reappeared
    case .setAside: .setAside
    }
  }

  private func execution(
    _ fill: VenueFill, _ row: OrderRow, _ instrument: Instrument
  ) -> OmsV1.Execution {
    let order = row.order
    var execution = OmsV1.Execution()
    execution.executionId = fill.executionID
    execution.orderId = order.id.description
    execution.clientOrderId = order.clientOrderID
    execution.account = order.account
    execution.strategyId = order.strategy
    execution.venue = instrument.venue.name
    execution.symbol = instrument.symbol
    execution.side = TypeV1.Side(order.side)
    execution.price = instrument.wire(fill.price)
    execution.quantity = instrument.wire(fill.quantity)
    execution.fee = TypeV1.Decimal(fill.fee)
    execution.feeAsset = fill.feeAsset
    execution.maker = fill.isMaker
    execution.exchangeTime = .init(fill.exchangeTime)
    return execution
  }
}

extension JournaledEvent {
  /// The event as it was written.
  init(_ record: OmsV1.JournaledEvent, _ instrument: Instrument) throws(RPCError) {
    guard let published = record.event else { throw Self.damaged("has no event") }
    time = try Instant(published.time ?? .init(), field: "time")
    report = LogPosition(sequence: record.reportSequence, mark: record.reportMark)
    let text = published.text
    let reason = published.order.flatMap { RejectReason($0.rejectReason) } ?? .venuePolicy
    switch published.kind {
    case .accepted: event = .accepted
    case .acknowledged: event = .venueAcknowledged(venueOrderID: record.venueOrderId)
    case .fill:
      guard let execution = published.execution else {
        throw Self.damaged("a fill has no execution")
      }
      let total = try instrument.raw(
        published.order?.filledQuantity, scale: instrument.quantityScale)
      event = .filled(
        try VenueFill(execution, instrument), venueFilled: total.map { Quantity($0) })
    case .cancelRequested: event = .cancelRequested(reason: text)
    case .cancelled: event = .cancelled(venueFilled: nil, text: text)
    case .cancelRejected: event = .cancelRejected(reason, text: text)
    case .replaceRequested: event = .replaceRequested(try Self.terms(record, instrument))
    case .replaced:
      event = .replaced(venueOrderID: record.venueOrderId.isEmpty ? nil : record.venueOrderId)
    case .replaceRejected: event = .replaceRejected(reason, text: text)
    case .rejected: event = .rejected(reason, text: published.order?.rejectText ?? text)
    case .expired: event = .expired(venueFilled: nil)
    case .unknown: event = .becameUnknown(reason: text)
    case .reappeared:
      event = .reappeared(
        try Self.terms(record, instrument), venueOrderID: record.venueOrderId)
    case .setAside: event = .setAside(text)
    default: throw Self.damaged("has an event of kind \(published.kind.rawValue)")
    }
  }

  private static func terms(
    _ record: OmsV1.JournaledEvent, _ instrument: Instrument
  ) throws(RPCError) -> OrderTerms {
    let price = try instrument.raw(record.price, scale: instrument.priceScale)
    let quantity = try instrument.raw(record.quantity, scale: instrument.quantityScale)
    return OrderTerms(price: price.map(Price.init), quantity: Quantity(quantity ?? 0))
  }

  private static func damaged(_ what: String) -> RPCError {
    RPCError(.dataLoss, "a record of the oms journal \(what)")
  }
}

extension Order {
  /// An order of the contract; terms are checked against the instrument.
  init(
    _ wire: OmsV1.Order, id: OrderID, _ instrument: Instrument, createdTime: Instant
  ) throws(RPCError) {
    let type = try OrderType(wire.type, field: "order.type")
    guard let quantity = wire.quantity else {
      throw RPCError.invalid("order.quantity", "is missing")
    }
    guard (wire.price != nil) == (type == .limit) else {
      throw RPCError.invalid("order.price", "belongs to limit orders, and only to them")
    }
    guard !wire.clientOrderId.isEmpty else {
      throw RPCError.invalid("order.clientOrderId", "is missing")
    }
    let standard: TimeInForce = type == .market ? .ioc : .gtc
    self.init(
      id: id, clientOrderID: wire.clientOrderId, account: wire.account, strategy: wire.strategyId,
      instrument: instrument.id, side: try Side(wire.side, field: "order.side"), type: type,
      timeInForce: try TimeInForce.wire(wire.timeInForce, field: "order.timeInForce") ?? standard,
      price: nil, quantity: try instrument.quantity(quantity, field: "order.quantity"),
      createdTime: createdTime)
    if let price = wire.price { self.price = try instrument.price(price, field: "order.price") }
  }
}
