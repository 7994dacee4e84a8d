internal import Orders
internal import Units
internal import Venue

/// What an event has come to for a child, in the order in which its parent has to hear it.
enum ChildNews: Sendable, Hashable {
  /// The venue has confirmed it for the first time. `isOver`: by telling of its end.
  case acknowledged(isOver: Bool)
  /// The venue was silent; only its word proves what it did.
  case doubted(String)
  case filled(VenueFill)
  /// The venue carries the amendment out.
  case amended
  /// `placingAnew`: what was asked for can be done by a cancel and another child.
  case notAmended(RejectReason, text: String, placingAnew: Bool)
  case cancelRefused(RejectReason, text: String)
  /// `wasAmending`: an amendment was unanswered.
  case ended(VenueOrderStatus, ChildLifecycle.Rejection?, wasAmending: Bool)
  /// The venue has it although it had ended; `filled`: by so much when it seemed to end.
  case appeared(filled: Quantity)
  /// The venue's word does not fit.
  case setAside(String)
  /// The venue has to be asked about it.
  case questioned
  /// The venue's total is above its fills.
  case missesFills
}
