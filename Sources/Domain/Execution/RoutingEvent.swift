package import Orders
package import Units
package import Venue

/// Something that happened to routed orders. The journal keeps those that changed anything, and the
/// same events make the same ledger again.
package enum RoutingEvent: Sendable, Hashable {
  /// The oms hands over a parent order.
  case routed(ParentOrder)
  case cancelRequested(parent: OrderID)
  /// `version` tells replacements of one order apart. `Amendable` is what the venue can change in
  /// place at this moment: it is part of the event, so that a replay decides as it was decided.
  case replaceRequested(parent: OrderID, version: UInt32, OrderTerms, Amendable)
  /// The venue's word on a child, from any of its mouths: an answer, its private stream, a query.
  case reported(VenueReport)
  /// Asked after a child had ended, the venue says that it is open.
  case appeared(VenueReport)
  /// Asked about a child whose words were set aside, the venue has said what it knows.
  case settled(childID: String)
  /// The venue refused to take a child.
  case refused(childID: String, RejectReason, text: String)
  /// The venue was silent when a child was sent to it.
  case silent(childID: String, reason: String)
  /// The venue refused to cancel, or was silent: only a query tells.
  case cancelUnproven(childID: String, text: String)
  /// Asked about a child, the venue has never heard of it, although it had time to.
  case denied(childID: String)
  /// The venue would not cancel it, and nobody asks again: only in journals of the days when a cancel
  /// had a number of tries.
  case cancelRejected(childID: String, RejectReason, text: String)
  /// The venue refused to change a child; `notInPlace`: by cancelling and placing it can be done.
  case amendRefused(
    childID: String, version: UInt32, RejectReason, text: String, notInPlace: Bool)
  /// The venue was silent when it was asked to change a child.
  case amendSilent(childID: String, version: UInt32, reason: String)
  /// The terms of a child as the venue named them, answering or asked after the amendment was sent.
  /// `isSettled`: asked often and late enough that the amendment can no longer arrive.
  case amendSeen(childID: String, version: UInt32, OrderTerms, isSettled: Bool)
}

/// What the oms hands over.
package struct ParentOrder: Sendable, Hashable {
  package var id: OrderID
  package var instrument: InstrumentID
  package var side: Side
  package var type: OrderType
  package var timeInForce: TimeInForce
  package var terms: OrderTerms

  package init(
    id: OrderID, instrument: InstrumentID, side: Side, type: OrderType, timeInForce: TimeInForce,
    terms: OrderTerms
  ) {
    self.id = id
    self.instrument = instrument
    self.side = side
    self.type = type
    self.timeInForce = timeInForce
    self.terms = terms
  }
}

/// What follows from an event. Reports go to the oms, in order; commands are carried out after the
/// event is on disk, never before.
package enum RoutingEffect: Sendable, Hashable {
  case report(parent: OrderID, ParentReport)
  case place(VenueOrder)
  case cancel(instrument: InstrumentID, childID: String)
  case amend(VenueAmendment, version: UInt32)
  case query(instrument: InstrumentID, childID: String)
  /// Fills are missing: the venue's total is above what it has reported one by one.
  case listFills(instrument: InstrumentID, childID: String, venueOrderID: String)
}

/// What the oms is told of a parent order.
package enum ParentReport: Sendable, Hashable {
  case acknowledged(venueOrderID: String)
  case filled(VenueFill, venueOrderID: String)
  case cancelled(text: String)
  case cancelRejected(RejectReason, text: String)
  case replaced(OrderTerms, venueOrderID: String)
  case replaceRejected(RejectReason, text: String)
  case rejected(RejectReason, text: String)
  case expired
  case unknown(reason: String)
  /// The venue has it although its end was told: it lives under these terms, and is being cancelled.
  case reappeared(OrderTerms, venueOrderID: String)
  /// The venue's word does not fit; it is kept, and the venue is asked.
  case setAside(String)
}
