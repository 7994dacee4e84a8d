package import Venue

/// What an event did to its order.
package enum OrderEffect: Sendable, Hashable {
  /// It changed the order and has this number; it belongs in the journal.
  case applied(sequence: UInt32, from: OrderStatus, to: OrderStatus)
  case ignored(IgnoredEvent)
}

/// Why an event changed nothing. All of these are normal: streams repeat, answers cross.
package enum IgnoredEvent: UInt8, Sendable, Hashable, CaseIterable {
  /// The fill was counted before.
  case duplicateExecution = 1
  /// The order was already there.
  case repeated = 2
  /// It came after the end and adds nothing.
  case closed = 3
  /// An answer to a request that is not in flight.
  case notRequested = 4
}

/// How an order ended.
package enum Closing: Sendable, Hashable {
  case filled
  case cancelled(text: String = "")
  case expired
  case rejected(RejectReason, text: String)

  package var status: OrderStatus {
    switch self {
    case .filled: .filled
    case .cancelled: .cancelled
    case .expired: .expired
    case .rejected: .rejected
    }
  }

  /// A rejected order never lived at the venue.
  package var mayHaveFilled: Bool {
    if case .rejected = self { false } else { true }
  }
}
