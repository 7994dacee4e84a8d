internal import JSON
package import Venue

/// Binance's error codes (errors.md) in our taxonomy.
package enum BinanceErrors {
  /// 5xx statuses and the codes that say so leave the fate of a request open, as documented: "the
  /// execution status is unknown and could have been a success".
  package static func failure(status: Int, body: [UInt8]) -> VenueFailure {
    let (code, text) = codeAndText(body)
    let words = code.map { "\($0): \(text)" } ?? "status \(status)"
    if status >= 500 { return .unknown(words) }
    guard let code else {
      // 403 is the firewall, 418 and 429 are limits; none of them let a request through.
      switch status {
      case 403, 418, 429: return .definite(.rateLimit, text: words)
      case _ where VenueFailure.openStatuses.contains(status): return .unknown(words)
      case 400..<500: return .definite(.venuePolicy, text: words)
      default: return .unknown(words)
      }
    }
    return failure(code, text)
  }

  /// What a code says, of a whole request or of half of one. Only what is documented to be a refusal is
  /// one: whatever else a code means, it does not say that nothing was done.
  package static func failure(_ code: Int64, _ text: String) -> VenueFailure {
    let words = "\(code): \(text)"
    return isRefusal(code, text) ? .definite(reason(code, text), text: words) : .unknown(words)
  }

  private static func isRefusal(_ code: Int64, _ text: String) -> Bool {
    switch code {
    // -10xx are of the server and the network. Of those: no right, a limit, an overload, what never
    // reached the matching engine, a service or an operation that is none, times and signatures.
    case -1002, -1003, -1008, (-1016)...(-1013), (-1022)...(-1020), -1034, -1099: true
    // An error of the matching engine, which its message names.
    case -1010: matcherReason(text) != nil
    // A replacement that has failed, perhaps with one of its halves done.
    case -2021, -2022: false
    // Faults of the request, and refusals of the engine and of the account.
    case (-1199)...(-1100), (-2999)...(-2000): true
    default: false
    }
  }

  package static func reason(_ code: Int64, _ text: String) -> RejectReason {
    switch code {
    case -1003, -1015, -1034: .rateLimit
    case -1008: .overloaded
    // -1021: its clock and ours do not agree, which passes.
    case -1016, -1021: .venueUnavailable
    case -1013: filterReason(text)
    case -1111: text.contains("quantity") ? .sizePrecision : .pricePrecision
    case -1121, -1122: .invalidSymbol
    case -1014, -1020, (-1199)...(-1100): .invalidOrder
    case -1010, -2010: matcherReason(text) ?? .venuePolicy
    case -2011, -2013, -2026: .unknownOrder
    case -2038: matcherReason(text) ?? amendReason(text)
    default: .venuePolicy
    }
  }

  private static func filterReason(_ text: String) -> RejectReason {
    guard let mark = text.range(of: "Filter failure: ") else { return .invalidOrder }
    return switch text[mark].prefix(while: { $0 != " " }) {
    case "PRICE_FILTER": .pricePrecision
    case "PERCENT_PRICE", "PERCENT_PRICE_BY_SIDE": .priceBands
    case "LOT_SIZE", "MARKET_LOT_SIZE": .sizePrecision
    case "NOTIONAL", "MIN_NOTIONAL": .minNotional
    case "MAX_POSITION": .positionLimit
    default: .venuePolicy
    }
  }

  /// Nil for words that are not among those that we tell apart.
  private static func matcherReason(_ text: String) -> RejectReason? {
    if text.hasPrefix("Unknown order sent") { return .unknownOrder }
    if text.hasPrefix("Account has insufficient balance") { return .insufficientBalance }
    if text.hasPrefix("Duplicate order sent") { return .duplicateOrder }
    if text.hasPrefix("Order would immediately match") { return .wouldTakeLiquidity }
    if text.hasPrefix("Market is closed") { return .marketClosed }
    if text.hasPrefix("Filter failure") { return filterReason(text) }
    return nil
  }

  /// What it does not amend at all can still be replaced; an order that has been amended as often as
  /// allowed is the filter MAX_NUM_ORDER_AMENDS, which is policy too.
  private static func amendReason(_ text: String) -> RejectReason {
    text.hasPrefix("Order amend (") ? .venuePolicy : .invalidOrder
  }

  private static func codeAndText(_ body: [UInt8]) -> (Int64?, String) {
    do throws(JSONError) {
      let json = try JSONDocument(parsing: body).root
      return (try json.int64("code"), try json.string("msg"))
    } catch {
      return (nil, "")
    }
  }
}

extension String {
  /// What follows the first `mark`, as a range to the end; nil without one.
  fileprivate func range(of mark: String) -> Range<Index>? {
    var rest = self[...]
    while !rest.isEmpty {
      if rest.hasPrefix(mark) {
        return rest.index(rest.startIndex, offsetBy: mark.count)..<endIndex
      }
      rest = rest.dropFirst()
    }
    return nil
  }
}
