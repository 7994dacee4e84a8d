package import Venue

extension VenueFailure {
  var isInvalidNonce: Bool { begins(KrakenErrors.invalidNonce) }
  var isDeadlineElapsed: Bool { begins(KrakenErrors.deadlineElapsed) }

  private func begins(_ words: String) -> Bool {
    if case .definite(_, let text) = self { text.hasPrefix(words) } else { false }
  }
}

/// Kraken's error texts in our taxonomy (docs.kraken.com/api/docs/guides/spot-errors).
package enum KrakenErrors {
  package static let invalidNonce = "EAPI:Invalid nonce"
  static let lockout = "EGeneral:Temporary lockout"
  static let deadlineElapsed = "EService:Deadline elapsed"

  /// `status` other than 200 comes from the front; its word counts when there is no text of
  /// Kraken's.
  package static func failure(status: Int, errors: [String]) -> VenueFailure {
    // Texts that begin with W are warnings.
    let texts = errors.filter { $0.hasPrefix("E") }
    guard let first = texts.first else {
      switch status {
      case 429: return .definite(.rateLimit, text: "status 429")
      case _ where VenueFailure.openStatuses.contains(status): return .unknown("status \(status)")
      case 400..<500: return .definite(.venuePolicy, text: "status \(status)")
      default: return .unknown("status \(status)")
      }
    }
    let text = texts.joined(separator: ", ")
    guard status < 500, texts.allSatisfy(isRefusal) else { return .unknown(text) }
    return .definite(reason(first), text: text)
  }

  /// Only what is documented to be a refusal is one. That the engine was away, busy or too late to say, and
  /// whatever else Kraken may say of itself, leaves it open whether the request was carried out.
  private static func isRefusal(_ error: String) -> Bool {
    let parts = error.split(separator: ":", maxSplits: 1)
    guard parts.count == 2 else { return false }
    let ofItself = ["Internal error", "Timeout", "Unavailable", "Busy"]
    if ofItself.contains(where: parts[1].hasPrefix) { return false }
    return switch parts[0] {
    // Keys and accounts, orders and trades, questions, money, limits of the law.
    case "EAPI", "EAuth", "EAccount", "EOrder", "ETrade", "EQuery", "EFunding", "EBM": true
    case "EGeneral":
      [
        "Permission denied", "Invalid arguments", "Temporary lockout", "Too many requests",
        "Unknown method", "Unknown Method",
      ].contains(where: parts[1].hasPrefix)
    case "EService":
      ["Throttled", "Market in", "Market is", "Deadline elapsed"].contains(
        where: parts[1].hasPrefix)
    default: false
    }
  }

  private static let reasons: [(text: String, reason: RejectReason)] = [
    ("EAPI:Rate limit exceeded", .rateLimit),
    ("EOrder:Rate limit exceeded", .rateLimit),
    ("EOrder:Domain rate limit exceeded", .rateLimit),
    ("EOrder:Orders limit exceeded", .rateLimit),
    ("EAuth:Rate limit exceeded", .rateLimit),
    ("EAuth:Too many requests", .rateLimit),
    (lockout, .rateLimit),
    ("EGeneral:Too many requests", .rateLimit),
    ("EService:Throttled", .rateLimit),
    ("EOrder:Insufficient funds", .insufficientBalance),
    ("EOrder:Insufficient margin", .insufficientBalance),
    ("EOrder:Margin allowance exceeded", .insufficientBalance),
    ("EOrder:Order minimum not met", .minSize),
    ("EOrder:Cost minimum not met", .minNotional),
    ("EOrder:Tick size check failed", .pricePrecision),
    ("EOrder:Invalid price", .priceBands),
    ("EOrder:Positions limit exceeded", .positionLimit),
    ("EOrder:Position limit exceeded", .positionLimit),
    ("EOrder:Post only order", .wouldTakeLiquidity),
    ("EOrder:Unknown order", .unknownOrder),
    ("EOrder:Invalid order", .unknownOrder),
    ("EQuery:Unknown asset pair", .invalidSymbol),
    ("EQuery:Invalid asset pair", .invalidSymbol),
    ("EQuery:Unknown asset", .invalidSymbol),
    ("EService:Market in", .marketClosed),
    ("EService:Market is", .marketClosed),
    (deadlineElapsed, .venueUnavailable),
    // Another user of the key is ahead, or a clock was set back: nothing was done.
    (invalidNonce, .venueUnavailable),
    ("EOrder:Deadline", .venueUnavailable),
    ("EGeneral:Invalid arguments:cl_ord_id", .duplicateOrder),
    ("EOrder:Duplicate", .duplicateOrder),
    ("EGeneral:Invalid arguments:volume", .sizePrecision),
    ("EGeneral:Invalid arguments:price", .pricePrecision),
    ("EGeneral:Invalid arguments", .invalidOrder),
  ]

  /// The longest beginning that is known counts; what is not known is the venue's own business.
  package static func reason(_ error: String) -> RejectReason {
    reasons.filter { error.hasPrefix($0.text) }.max { $0.text.utf8.count < $1.text.utf8.count }?
      .reason ?? .venuePolicy
  }
}
