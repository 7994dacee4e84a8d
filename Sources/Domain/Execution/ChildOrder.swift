package import Orders
package import Units
package import Venue

/// One order at the venue on behalf of a parent.
package struct ChildOrder: Sendable, Hashable {
  /// How far it has come.
  package enum Stage: Sendable, Hashable {
    /// Journaled; it leaves for the venue after that.
    case intended
    case acknowledged
    /// The venue was silent.
    case unknown
    /// The venue has ended it, but fills are still missing.
    case ending(VenueOrderStatus, total: Quantity)
    case ended(VenueOrderStatus)
  }

  package let sequence: UInt32
  /// As the venue has confirmed them.
  package internal(set) var terms: OrderTerms
  /// A change in place that the venue has not answered yet.
  package internal(set) var amendment: Amendment?
  package internal(set) var stage = Stage.intended
  package internal(set) var venueOrderID = ""
  package internal(set) var filled = Quantity.zero
  var executions: Set<String> = []
  var cancelIsUnderWay = false

  init(sequence: UInt32, terms: OrderTerms) {
    self.sequence = sequence
    self.terms = terms
  }

  package struct Amendment: Sendable, Hashable {
    /// Of the replacement that it carries out.
    package let version: UInt32
    package let terms: OrderTerms
    /// The venue was silent.
    package internal(set) var isDoubted = false
  }

  /// All that it may fill in the worst case.
  package var quantityMax: Quantity {
    max(terms.quantity, amendment?.terms.quantity ?? .zero)
  }

  /// The version of the amendment that only the venue's terms can prove; nil when there is none, or
  /// when the child ends, for its end says more.
  package var unansweredVersion: UInt32? {
    stage == .acknowledged ? amendment?.version : nil
  }

  package var isLive: Bool {
    if case .ended = stage { false } else { true }
  }

  /// Whether the venue has ever confirmed it.
  package var wasAcknowledged: Bool { !venueOrderID.isEmpty }
}

/// A child's client order id: the parent's id and a sequence, so that the venue's private stream leads
/// back to the parent, and sending again is recognised.
package struct ChildID: Sendable, Hashable {
  package let parent: OrderID
  package let sequence: UInt32

  package init(parent: OrderID, sequence: UInt32) {
    self.parent = parent
    self.sequence = sequence
  }

  /// Nil for ids that are not ours.
  package init?(parsing text: some StringProtocol) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let parent = OrderID(parsing: parts[0]),
      let sequence = UInt32(parts[1]), sequence > 0, "\(sequence)" == parts[1]
    else { return nil }
    self.init(parent: parent, sequence: sequence)
  }

  package var text: String { "\(parent)-\(sequence)" }
}
