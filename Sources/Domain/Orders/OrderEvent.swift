package import Units
package import Venue

/// The terms of an order that a replace may change. `quantity` is the new total, fills included.
package struct OrderTerms: Sendable, Hashable {
  /// Nil for a market order.
  package var price: Price?
  package var quantity: Quantity

  package init(price: Price?, quantity: Quantity) {
    self.price = price
    self.quantity = quantity
  }
}

/// One thing that happened to an order. `venueFilled` is all that the venue says has filled so far,
/// where its report says so.
package enum OrderEvent: Sendable, Hashable {
  /// It is on disk. Always the first.
  case accepted
  case sentToVenue
  case venueAcknowledged(venueOrderID: String)
  case filled(VenueFill, venueFilled: Quantity?)
  case cancelRequested(reason: String)
  /// `text`: the venue's reason, where it was not asked to.
  case cancelled(venueFilled: Quantity?, text: String = "")
  case cancelRejected(RejectReason, text: String)
  case replaceRequested(OrderTerms)
  /// `venueOrderID` is nil where the venue keeps the old one.
  case replaced(venueOrderID: String?)
  case replaceRejected(RejectReason, text: String)
  case rejected(RejectReason, text: String)
  case expired(venueFilled: Quantity?)
  /// A request went unanswered: nobody knows what the venue did.
  case becameUnknown(reason: String)
  /// The venue has it although it had ended here: under these terms it may still fill.
  case reappeared(OrderTerms, venueOrderID: String)
  /// A word of the venue that does not fit, kept: what it was.
  case setAside(String)

  package var kind: OrderEventKind {
    switch self {
    case .accepted: .accepted
    case .sentToVenue: .sentToVenue
    case .venueAcknowledged: .venueAcknowledged
    case .filled: .filled
    case .cancelRequested: .cancelRequested
    case .cancelled: .cancelled
    case .cancelRejected: .cancelRejected
    case .replaceRequested: .replaceRequested
    case .replaced: .replaced
    case .replaceRejected: .replaceRejected
    case .rejected: .rejected
    case .expired: .expired
    case .becameUnknown: .becameUnknown
    case .reappeared: .reappeared
    case .setAside: .setAside
    }
  }
}

package enum OrderEventKind: UInt8, Sendable, Hashable, CaseIterable {
  case accepted = 1
  case sentToVenue = 2
  case venueAcknowledged = 3
  case filled = 4
  case cancelRequested = 5
  case cancelled = 6
  case cancelRejected = 7
  case replaceRequested = 8
  case replaced = 9
  case replaceRejected = 10
  case rejected = 11
  case expired = 12
  case becameUnknown = 13
  case reappeared = 14
  case setAside = 15
}
