package import Chrono
package import Venue

/// Venues that take no order for a while, as far as is known: what comes for one is refused before it is
/// accepted, and not rejected afterwards. Each ends by itself.
package struct VenueClosures: Sendable {
  package struct Closure: Sendable, Hashable {
    package let reason: RejectReason
    package let text: String
    package let end: Uptime

    package init(_ reason: RejectReason, _ text: String, until end: Uptime) {
      self.reason = reason
      self.text = text
      self.end = end
    }
  }

  private var closures: [VenueID: Closure] = [:]

  package init() {}

  /// All that are known now; those that are not named are over.
  package mutating func set(_ closures: [VenueID: Closure]) { self.closures = closures }

  /// Why the venue takes nothing, and for how long still; nil when it does, as far as is known.
  package func refusal(of venue: VenueID, at now: Uptime) -> (closure: Closure, wait: Duration)? {
    guard let closure = closures[venue], now < closure.end else { return nil }
    return (closure, closure.end - now)
  }
}
