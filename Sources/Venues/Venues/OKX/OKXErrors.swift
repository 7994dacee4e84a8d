internal import JSON
package import Venue

/// OKX's error codes in our taxonomy. (okx.com/docs-v5, "Error Code".)
package enum OKXErrors {
  /// An answer as a whole, or one order of it. A status of 5xx, and a code that says that the venue
  /// itself does not know, leave the fate of a request open.
  package static func failure(status: Int, code: String, text: String) -> VenueFailure {
    let words = code.isEmpty ? "status \(status)" : "\(code): \(text)"
    if status >= 500 { return .unknown(words) }
    guard let number = Int(code) else {
      switch status {
      // The firewall and the limits let no request through.
      case 403, 429: return .definite(.rateLimit, text: words)
      case _ where VenueFailure.openStatuses.contains(status): return .unknown(words)
      case 400..<500: return .definite(.venuePolicy, text: words)
      default: return .unknown(words)
      }
    }
    return isRefusal(number) ? .definite(reason(number), text: words) : .unknown(words)
  }

  /// Only what is documented to be a refusal is one: whatever else a code means, it does not say that
  /// nothing was done. 1 and 2, that all or a part has failed, say nothing without the parts.
  private static func isRefusal(_ code: Int) -> Bool {
    switch code {
    // Timed out: "an order", and what it would have been checked against.
    case 51054, 51149: false
    // 500xx are of the API as a whole: bodies and parameters, accounts that are blocked, limits, an
    // overload. The others of them are its being away (50001, 50005), its having waited in vain (50004)
    // and its faults (50026).
    case 50000, 50002, 50006...50025, 50027, 50028, 50030, 50035...50037, 50040, 50044, 50061,
      50062:
      true
    // Keys, signatures and times.
    case 50100...50123: true
    // Trading, data, lending, bots, funding, the account.
    case 51000...59999: true
    default: false
    }
  }

  /// The request's time, or the time after which it must not be taken, does not suit the venue's
  /// clock: nothing was done.
  static let clocks = ["50036", "50037", "50102", "50112"]

  package static func reason(_ code: Int) -> RejectReason {
    switch code {
    case 50011, 50040, 50061: .rateLimit
    case 50013: .overloaded
    // Its clock and ours do not agree, which passes.
    case 50036, 50037, 50102, 50112: .venueUnavailable
    case 50000...50099: account(code)
    case 50100...50199: .venuePolicy
    case 51000...51099: placing(code)
    case 51100...51299: terms(code)
    case 51400...51699: changing(code)
    default: .venuePolicy
    }
  }

  private static func account(_ code: Int) -> RejectReason {
    switch code {
    case 50002, 50006, 50014...50016, 50024, 50025: .invalidOrder
    default: .venuePolicy
    }
  }

  private static func placing(_ code: Int) -> RejectReason {
    switch code {
    case 51000, 51003, 51014, 51017, 51018: .invalidOrder
    case 51001, 51002, 51015, 51026: .invalidSymbol
    case 51004, 51064: .positionLimit
    case 51005: .maxSize
    case 51006, 51031: .priceBands
    case 51008: .insufficientBalance
    case 51016: .duplicateOrder
    case 51020: .minSize
    case 51021, 51022, 51027...51030: .marketClosed
    default: .venuePolicy
    }
  }

  private static func terms(_ code: Int) -> RejectReason {
    switch code {
    case 51101...51103, 51108, 51201: .maxNotional
    case 51104, 51105, 51202, 51203: .maxSize
    case 51112, 51115, 51122, 51124, 51204, 51250: .invalidOrder
    case 51116, 51136...51139: .priceBands
    case 51119, 51127, 51131: .insufficientBalance
    case 51120: .minSize
    case 51121: .sizePrecision
    default: .venuePolicy
    }
  }

  private static func changing(_ code: Int) -> RejectReason {
    switch code {
    // Not there any more, or never.
    case 51400...51402, 51410, 51416, 51503, 51509, 51510, 51600, 51603: .unknownOrder
    // Orders of a kind that cannot be modified.
    case 51506, 51523...51526: .venuePolicy
    case 51513: .rateLimit
    case 51500...51599: .invalidOrder
    default: .venuePolicy
    }
  }

  /// Code and message of an answer; empty when it has none.
  static func codeAndText(_ body: [UInt8]) -> (String, String) {
    do throws(JSONError) {
      let json = try JSONDocument(parsing: body).root
      return (try json.string("code"), json["msg"]?.string ?? "")
    } catch {
      return ("", "")
    }
  }
}
