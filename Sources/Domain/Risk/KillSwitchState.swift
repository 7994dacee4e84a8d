package import Chrono

/// One turn of the kill switch.
package struct KillSwitchChange: Sendable, Hashable {
  /// How many there have been with it: grows by one with each.
  package let number: UInt64
  package let isEngaged: Bool
  package let reason: String
  package let actor: String
  package let time: Instant

  package init(number: UInt64, isEngaged: Bool, reason: String, actor: String, time: Instant) {
    self.number = number
    self.isEngaged = isEngaged
    self.reason = reason
    self.actor = actor
    self.time = time
  }
}

/// The kill switch as people see it: whether, why, by whom, since when.
///
/// Engaging what is engaged already, without a new reason, keeps the reason that there is, and with it
/// whose it was; the change is in the history all the same.
package struct KillSwitchState: Sendable, Hashable {
  package private(set) var isEngaged = false
  package private(set) var reason = ""
  package private(set) var actor = ""
  package private(set) var time = Instant(nanoseconds: 0)
  /// Of the newest change.
  package private(set) var number: UInt64 = 0
  /// The latest changes, oldest first.
  package private(set) var history: [KillSwitchChange] = []

  package static let historyMax = 100

  package init() {}

  /// A change that is older than what is known goes into the history only: an engagement is never
  /// undone by a release that was asked for before it.
  package mutating func apply(_ change: KillSwitchChange) {
    history.append(change)
    if history.count > Self.historyMax { history.removeFirst() }
    guard change.number > number else { return }
    let saysNothingNew = change.reason.isEmpty || change.reason == reason
    let keepsReason = isEngaged && change.isEngaged && saysNothingNew
    number = change.number
    isEngaged = change.isEngaged
    guard !keepsReason else { return }
    reason = change.reason
    actor = change.actor
    time = change.time
  }
}
