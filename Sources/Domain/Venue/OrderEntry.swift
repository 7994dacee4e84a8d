package import Chrono
package import Units

/// An order as it goes to a venue. `clientOrderID` is ours, unique at the venue, at most 36
/// characters of [A-Za-z0-9_-].
package struct VenueOrder: Sendable, Hashable {
  package var instrument: InstrumentID
  package var clientOrderID: String
  package var side: Side
  package var type: OrderType
  package var timeInForce: TimeInForce
  /// Nil for a market order.
  package var price: Price?
  package var quantity: Quantity

  package init(
    instrument: InstrumentID, clientOrderID: String, side: Side, type: OrderType,
    timeInForce: TimeInForce, price: Price?, quantity: Quantity
  ) {
    self.instrument = instrument
    self.clientOrderID = clientOrderID
    self.side = side
    self.type = type
    self.timeInForce = timeInForce
    self.price = price
    self.quantity = quantity
  }
}

package enum VenueOrderStatus: UInt8, Sendable, Hashable, CaseIterable {
  case new = 1
  case partiallyFilled = 2
  case filled = 3
  case cancelled = 4
  case rejected = 5
  case expired = 6

  package var isTerminal: Bool { self != .new && self != .partiallyFilled }
}

/// One fill at the venue. `executionID` is unique per venue and instrument: fills are counted once by it.
package struct VenueFill: Sendable, Hashable {
  package var executionID: String
  package var price: Price
  package var quantity: Quantity
  /// The fee in `feeAsset`, exact.
  package var fee: Decimal
  package var feeAsset: String
  package var isMaker: Bool
  package var exchangeTime: Instant

  package init(
    executionID: String, price: Price, quantity: Quantity, fee: Decimal, feeAsset: String,
    isMaker: Bool, exchangeTime: Instant
  ) {
    self.executionID = executionID
    self.price = price
    self.quantity = quantity
    self.fee = fee
    self.feeAsset = feeAsset
    self.isMaker = isMaker
    self.exchangeTime = exchangeTime
  }
}

/// What a venue says of one of our orders, from its private stream or in answer to a query.
package struct VenueReport: Sendable, Hashable {
  package var instrument: InstrumentID
  package var clientOrderID: String
  package var venueOrderID: String
  package var status: VenueOrderStatus
  /// All that has filled so far.
  package var filledQuantity: Quantity
  /// The fill that this report announces, if it is one.
  package var fill: VenueFill?
  package var rejectReason: RejectReason?
  package var rejectText: String
  package var exchangeTime: Instant
  /// The order's terms at the venue, where its word names them; no price for a market order.
  package var price: Price?
  package var quantity: Quantity?

  package init(
    instrument: InstrumentID, clientOrderID: String, venueOrderID: String,
    status: VenueOrderStatus, filledQuantity: Quantity, fill: VenueFill? = nil,
    rejectReason: RejectReason? = nil, rejectText: String = "", exchangeTime: Instant,
    price: Price? = nil, quantity: Quantity? = nil
  ) {
    self.instrument = instrument
    self.clientOrderID = clientOrderID
    self.venueOrderID = venueOrderID
    self.status = status
    self.filledQuantity = filledQuantity
    self.fill = fill
    self.rejectReason = rejectReason
    self.rejectText = rejectText
    self.exchangeTime = exchangeTime
    self.price = price
    self.quantity = quantity
  }

  /// The same order after its end.
  package func ended(_ status: VenueOrderStatus) -> VenueReport {
    var report = self
    report.status = status
    report.fill = nil
    return report
  }
}

/// How sending an order, a cancel or a query ended. Silence is `unknown`, never a rejection: the
/// venue may have acted, so the exposure stays reserved until a query has proven what happened.
package enum VenueOutcome: Sendable, Hashable {
  case acknowledged(VenueReport)
  case rejected(RejectReason, text: String)
  case unknown(reason: String)
}
