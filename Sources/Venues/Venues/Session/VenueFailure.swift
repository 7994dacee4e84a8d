package import Venue

/// What an answer that is not a success means for the request.
package enum VenueFailure: Error, Sendable, Hashable {
  /// The venue did not do it.
  case definite(RejectReason, text: String)
  /// It may have done it.
  case unknown(String)

  /// Statuses without a venue's code that somebody between may have answered with, when the venue has the
  /// request: 408 Request Timeout, 409 Conflict, 425 Too Early (RFC 9110, RFC 8470), and 499, which nginx
  /// writes for a client that closed.
  static let openStatuses: Set<Int> = [408, 409, 425, 499]

  /// Whoever asked waits for room no longer: nothing was sent.
  static func givenUp(_ limit: String) -> VenueFailure {
    .definite(.rateLimit, text: "given up while held back by the limit \(limit)")
  }

  /// As the answer to a new order. A name that is taken says that an order of this name is there, perhaps
  /// this very one: what became of it is to be asked.
  var ofPlacing: VenueFailure {
    guard case .definite(.duplicateOrder, let text) = self else { return self }
    return .unknown("the venue has an order of this name: \(text)")
  }

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

extension VenueOutcome {
  /// The answer to a question about an order after the venue has taken a request for it: a question
  /// that is held back, refused or unanswered leaves open what became of the request.
  var afterRequest: VenueOutcome {
    guard case .rejected(let reason, let text) = self else { return self }
    return .unknown(
      reason: "the venue has taken the request, and its state is not told: \(reason.name): \(text)")
  }
}
