package import Venue

/// What an answer that is not a success means for the request.
package enum VenueFailure: Error, Sendable, Hashable {
  /// The venue did not do it.
  case definite(RejectReason, text: String)
  /// It may have done it.
  case unknown(String)

  /// For questions that change nothing: silence is only an absence.
  var asVenueError: VenueError {
    switch self {
    case .definite(let reason, let text): VenueError(reason, text)
    case .unknown(let text): VenueError(.venueUnavailable, text)
    }
  }

  /// For orders and cancels: silence is never a rejection.
  var asOutcome: VenueOutcome {
    switch self {
    case .definite(let reason, let text): .rejected(reason, text: text)
    case .unknown(let text): .unknown(reason: text)
    }
  }
}
