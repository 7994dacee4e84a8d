/// Where an order stands, as the outside sees it.
package enum OrderStatus: UInt8, Sendable, Hashable, CaseIterable {
  case pendingNew = 1
  case new = 2
  case partiallyFilled = 3
  case filled = 4
  case pendingCancel = 5
  case cancelled = 6
  case pendingReplace = 7
  case rejected = 8
  case expired = 9
  case unknown = 10

  package var isTerminal: Bool {
    switch self {
    case .filled, .cancelled, .rejected, .expired: true
    case .pendingNew, .new, .partiallyFilled, .pendingCancel, .pendingReplace, .unknown: false
    }
  }

  /// Upper snake case, as in JSON: `PARTIALLY_FILLED`.
  package var name: String {
    switch self {
    case .pendingNew: "PENDING_NEW"
    case .new: "NEW"
    case .partiallyFilled: "PARTIALLY_FILLED"
    case .filled: "FILLED"
    case .pendingCancel: "PENDING_CANCEL"
    case .cancelled: "CANCELLED"
    case .pendingReplace: "PENDING_REPLACE"
    case .rejected: "REJECTED"
    case .expired: "EXPIRED"
    case .unknown: "UNKNOWN"
    }
  }
}
