package import Calls
package import Contracts
package import Orders
package import Units
package import Venue

// The numbers of these enums are the contract's: the bridges are casts, and a test holds them equal.

extension TypeV1.Side {
  package init(_ side: Side) { self.init(rawValue: Int32(side.rawValue)) }
}

extension TypeV1.OrderType {
  package init(_ type: OrderType) { self.init(rawValue: Int32(type.rawValue)) }
}

extension TypeV1.TimeInForce {
  package init(_ timeInForce: TimeInForce) { self.init(rawValue: Int32(timeInForce.rawValue)) }
}

extension TypeV1.RejectReason {
  package init(_ reason: RejectReason) { self.init(rawValue: Int32(reason.rawValue)) }
}

extension TypeV1.OrderStatus {
  package init(_ status: OrderStatus) { self.init(rawValue: Int32(status.rawValue)) }

  package init(_ status: VenueOrderStatus) {
    self =
      switch status {
      case .new: .new
      case .partiallyFilled: .partiallyFilled
      case .filled: .filled
      case .cancelled: .cancelled
      case .rejected: .rejected
      case .expired: .expired
      }
  }
}

extension Side {
  package init(_ wire: TypeV1.Side, field: String) throws(RPCError) {
    guard let side = UInt8(exactly: wire.rawValue).flatMap(Side.init(rawValue:)) else {
      throw .invalid(
        field, wire.rawValue == 0 ? "is missing: BUY or SELL" : "has no value \(wire.rawValue)")
    }
    self = side
  }
}

extension OrderType {
  package init(_ wire: TypeV1.OrderType, field: String) throws(RPCError) {
    guard let type = UInt8(exactly: wire.rawValue).flatMap(OrderType.init(rawValue:)) else {
      throw .invalid(
        field, wire.rawValue == 0 ? "is missing: MARKET or LIMIT" : "has no value \(wire.rawValue)")
    }
    self = type
  }
}

extension TimeInForce {
  /// Nil for unspecified.
  package static func wire(_ wire: TypeV1.TimeInForce, field: String) throws(RPCError)
    -> TimeInForce?
  {
    if wire.rawValue == 0 { return nil }
    guard let known = UInt8(exactly: wire.rawValue).flatMap(TimeInForce.init(rawValue:)) else {
      throw .invalid(field, "has no value \(wire.rawValue)")
    }
    return known
  }
}

extension RejectReason {
  /// Nil for unspecified and for reasons of a later version.
  package init?(_ wire: TypeV1.RejectReason) {
    guard let reason = UInt8(exactly: wire.rawValue).flatMap(RejectReason.init(rawValue:)) else {
      return nil
    }
    self = reason
  }

  /// The refusal as a status: FAILED_PRECONDITION, or RESOURCE_EXHAUSTED for what time heals; or the
  /// code that a contract promises.
  package func error(
    _ text: String, code: StatusCode? = nil, domain: String, metadata: [String: String] = [:],
    retryAfter: Duration? = nil
  ) -> RPCError {
    let usual: StatusCode =
      switch self {
      case .rateLimit, .overloaded: .resourceExhausted
      case .invalidSymbol, .pricePrecision, .sizePrecision, .invalidOrder: .invalidArgument
      case .duplicateOrder: .alreadyExists
      case .unknownOrder: .notFound
      case .riskTimeout, .reconciling, .venueUnavailable: .unavailable
      default: .failedPrecondition
      }
    var details = [ErrorDetail.errorInfo(reason: name, domain: domain, metadata: metadata)]
    if let retryAfter { details.append(.retryInfo(delay: retryAfter)) }
    return RPCError(code ?? usual, text, details: details)
  }
}
