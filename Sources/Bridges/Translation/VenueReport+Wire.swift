package import Calls
internal import Chrono
package import Contracts
internal import Units
package import Venue

extension MarketV1.Fill {
  package init(_ fill: VenueFill, _ instrument: Instrument) {
    self.init()
    executionId = fill.executionID
    price = instrument.wire(fill.price)
    quantity = instrument.wire(fill.quantity)
    fee = TypeV1.Decimal(fill.fee)
    feeAsset = fill.feeAsset
    maker = fill.isMaker
    exchangeTimeNs = UInt64(max(0, fill.exchangeTime.nanoseconds))
  }
}

extension VenueFill {
  package init(_ wire: MarketV1.Fill, _ instrument: Instrument) throws(RPCError) {
    guard let price = try instrument.raw(wire.price, scale: instrument.priceScale),
      let quantity = try instrument.raw(wire.quantity, scale: instrument.quantityScale)
    else { throw RPCError(.invalidArgument, "fill \(wire.executionId) has no price or quantity") }
    let fee: Units.Decimal
    do throws(DecimalError) {
      fee =
        try wire.fee.map { wire throws(DecimalError) in
          try Units.Decimal(checking: wire.units, scale: wire.scale)
        } ?? .zero
    } catch {
      throw RPCError(.invalidArgument, "the fee of fill \(wire.executionId) \(error.problem)")
    }
    self.init(
      executionID: wire.executionId, price: Price(price), quantity: Quantity(quantity), fee: fee,
      feeAsset: wire.feeAsset, isMaker: wire.maker,
      exchangeTime: Instant(nanoseconds: Int64(clamping: wire.exchangeTimeNs)))
  }
}

extension MarketV1.VenueReport {
  package init(_ report: VenueReport, _ instrument: Instrument) {
    self.init()
    venue = instrument.venue.name
    symbol = instrument.symbol
    clientOrderId = report.clientOrderID
    venueOrderId = report.venueOrderID
    status = TypeV1.OrderStatus(report.status)
    filledQuantity = instrument.wire(report.filledQuantity)
    fill = report.fill.map { MarketV1.Fill($0, instrument) }
    if let reason = report.rejectReason { rejectReason = TypeV1.RejectReason(reason) }
    rejectText = report.rejectText
    exchangeTimeNs = UInt64(max(0, report.exchangeTime.nanoseconds))
    price = report.price.map { instrument.wire($0) }
    quantity = report.quantity.map { instrument.wire($0) }
  }
}

extension VenueReport {
  package init(_ wire: MarketV1.VenueReport, _ instrument: Instrument) throws(RPCError) {
    guard let status = VenueOrderStatus(wire.status) else {
      throw RPCError(.invalidArgument, "a venue's report has no status \(wire.status.rawValue)")
    }
    self.init(
      instrument: instrument.id, clientOrderID: wire.clientOrderId, venueOrderID: wire.venueOrderId,
      status: status,
      filledQuantity: Quantity(
        try instrument.raw(wire.filledQuantity, scale: instrument.quantityScale) ?? 0),
      rejectReason: RejectReason(wire.rejectReason), rejectText: wire.rejectText,
      exchangeTime: Instant(nanoseconds: Int64(clamping: wire.exchangeTimeNs)),
      price: try instrument.raw(wire.price, scale: instrument.priceScale).map(Price.init),
      quantity: try instrument.raw(wire.quantity, scale: instrument.quantityScale)
        .map(Quantity.init))
    if let fill = wire.fill { self.fill = try VenueFill(fill, instrument) }
  }
}

extension VenueOrderStatus {
  package init?(_ wire: TypeV1.OrderStatus) {
    switch wire {
    case .new: self = .new
    case .partiallyFilled: self = .partiallyFilled
    case .filled: self = .filled
    case .cancelled: self = .cancelled
    case .rejected: self = .rejected
    case .expired: self = .expired
    default: return nil
    }
  }
}

extension MarketV1.VenueOrder {
  package init(_ order: VenueOrder, _ instrument: Instrument) {
    self.init()
    venue = instrument.venue.name
    symbol = instrument.symbol
    clientOrderId = order.clientOrderID
    side = TypeV1.Side(order.side)
    type = TypeV1.OrderType(order.type)
    timeInForce = TypeV1.TimeInForce(order.timeInForce)
    price = order.price.map { instrument.wire($0) }
    quantity = instrument.wire(order.quantity)
  }
}

extension VenueOrder {
  package init(_ wire: MarketV1.VenueOrder, _ instrument: Instrument) throws(RPCError) {
    let type = try OrderType(wire.type, field: "order.type")
    guard let quantity = wire.quantity else {
      throw RPCError.invalid("order.quantity", "is missing")
    }
    guard (wire.price != nil) == (type == .limit) else {
      throw RPCError.invalid("order.price", "belongs to limit orders, and only to them")
    }
    self.init(
      instrument: instrument.id, clientOrderID: wire.clientOrderId,
      side: try Side(wire.side, field: "order.side"), type: type,
      timeInForce: try TimeInForce.wire(wire.timeInForce, field: "order.timeInForce") ?? .gtc,
      price: nil, quantity: try instrument.quantity(quantity, field: "order.quantity"))
    if let price = wire.price { self.price = try instrument.price(price, field: "order.price") }
  }
}

extension MarketV1.VenueOrderOutcome {
  package init(_ outcome: VenueOutcome, _ instrument: Instrument) {
    self.init()
    switch outcome {
    case .acknowledged(let report):
      self.outcome = .acknowledged(MarketV1.VenueReport(report, instrument))
    case .rejected(let reason, let text):
      var rejection = MarketV1.VenueRejection()
      rejection.reason = TypeV1.RejectReason(reason)
      rejection.text = text
      self.outcome = .rejected(rejection)
    case .unknown(let reason):
      var silence = MarketV1.VenueSilence()
      silence.reason = reason
      self.outcome = .unknown(silence)
    }
  }
}

extension VenueOutcome {
  package init(_ wire: MarketV1.VenueOrderOutcome, _ instrument: Instrument) throws(RPCError) {
    switch wire.outcome {
    case .acknowledged(let report): self = .acknowledged(try VenueReport(report, instrument))
    case .rejected(let rejection):
      self = .rejected(RejectReason(rejection.reason) ?? .venuePolicy, text: rejection.text)
    case .unknown(let silence): self = .unknown(reason: silence.reason)
    case nil: self = .unknown(reason: "the answer names no outcome")
    }
  }
}

extension MarketV1.AmendVenueOrderRequest {
  package init(_ amendment: VenueAmendment, _ instrument: Instrument) {
    self.init()
    venue = instrument.venue.name
    symbol = instrument.symbol
    clientOrderId = amendment.clientOrderID
    price = amendment.price.map { instrument.wire($0) }
    quantity = amendment.quantity.map { instrument.wire($0) }
  }
}

extension VenueAmendment {
  package init(
    _ wire: MarketV1.AmendVenueOrderRequest, _ instrument: Instrument
  ) throws(RPCError) {
    guard !wire.clientOrderId.isEmpty else { throw .invalid("clientOrderId", "is missing") }
    guard wire.price != nil || wire.quantity != nil else {
      throw .invalid("price", "or quantity is needed: there is nothing to change")
    }
    self.init(clientOrderID: wire.clientOrderId, instrument: instrument.id)
    if let price = wire.price { self.price = try instrument.price(price, field: "price") }
    if let quantity = wire.quantity {
      self.quantity = try instrument.quantity(quantity, field: "quantity")
    }
  }
}
