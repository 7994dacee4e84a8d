internal import Chrono
internal import Contracts
internal import Venues

/// A venue whose session could not be made: the others run, and it is told why this one does not.
struct FailedVenue: Sendable {
  let known: KnownVenue
  let reason: String

  var venue: String { known.rawValue }

  func health(at now: Instant) -> MarketV1.VenueHealth {
    var health = MarketV1.VenueHealth()
    health.venue = venue
    health.time = .init(now)
    health.failure = reason
    health.api = .init()
    health.publicWs = .init()
    health.privateWs = .init()
    return health
  }

  /// As every venue's, once a second.
  func notice(_ sequence: UInt64, at now: Instant) -> MarketV1.MarketNotice {
    var notice = MarketV1.MarketNotice()
    notice.subject = "md.health.\(venue)"
    notice.venue = venue
    notice.time = .init(now)
    notice.sequence = sequence
    notice.health = health(at: now)
    return notice
  }
}
