package import Orders
package import Units
package import Venue

/// The life of one order at the venue on behalf of a parent: from the intent to its end, and back where
/// the venue has it after all.
///
/// | stage | what moves it |
/// |---|---|
/// | intended | journaled; silence makes it unknown, a word of the venue anything that it says |
/// | unknown | a word of the venue, or its denial, often and late enough |
/// | acknowledged | fills, a cancel, the venue by itself |
/// | ending | the venue has ended it, and fills are still missing |
/// | ended | nothing but late fills; and the venue's word that it lives |
///
/// Every word of the venue is taken. Where it does not fit it is set aside as well, and the venue is
/// asked (`disputes`). Fills count once by execution id, whenever they come and whatever they exceed.
package struct ChildLifecycle: Sendable, Hashable {
  package enum Stage: Sendable, Hashable {
    case intended
    case acknowledged
    case unknown
    case ending(VenueOrderStatus, total: Quantity)
    case ended(VenueOrderStatus)
  }

  /// A change in place that the venue has not answered yet.
  package struct Amendment: Sendable, Hashable {
    /// Of the replacement that it carries out.
    package let version: UInt32
    package let terms: OrderTerms
    /// The venue was silent.
    package internal(set) var isDoubted = false
  }

  /// Why the venue did not take it, or not keep it.
  package struct Rejection: Sendable, Hashable {
    package let reason: RejectReason?
    package let text: String

    package var words: String {
      guard let reason else { return text }
      return text.isEmpty ? reason.name : "\(reason.name): \(text)"
    }
  }

  package let sequence: UInt32
  /// As the venue has confirmed them.
  package internal(set) var terms: OrderTerms
  package internal(set) var amendment: Amendment?
  package internal(set) var stage = Stage.intended
  package internal(set) var venueOrderID = ""
  package internal(set) var filled = Quantity.zero
  /// The highest total that the venue has claimed.
  package internal(set) var venueFilled = Quantity.zero
  /// What was set aside, until the venue has been asked about it.
  package internal(set) var disputes: [String] = []
  /// Its parent was told that it had ended.
  package internal(set) var isUnwanted = false
  /// It has ended because the venue knew nothing of it, which is no word about what comes later.
  package internal(set) var isDenied = false
  var rejection: Rejection?
  var executions: Set<String> = []
  var isCancelUnderWay = false

  init(sequence: UInt32, terms: OrderTerms) {
    self.sequence = sequence
    self.terms = terms
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

  /// The venue may have it open: what it has ended, and still owes fills of, it has not.
  package var mayRest: Bool {
    switch stage {
    case .intended, .acknowledged, .unknown: true
    case .ending, .ended: false
    }
  }

  /// Whether the venue has ever confirmed it.
  package var wasAcknowledged: Bool { !venueOrderID.isEmpty }

  /// The venue's total is above what it has told fill by fill.
  package var missesFills: Bool { venueFilled > filled }

  /// Something about it is open that only the venue can answer.
  package var isUnproven: Bool {
    if case .ending = stage { return true }
    return stage == .unknown || unansweredVersion != nil || missesFills || !disputes.isEmpty
  }
}
