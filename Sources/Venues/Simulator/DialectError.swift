internal import Chrono

/// A refusal in Binance's words: a code of its errors.md, a message, and the HTTP status it comes
/// with.
package struct DialectError: Error, Sendable, Hashable {
  package var status: Int
  package var code: Int
  package var message: String
  /// How long to wait, said with 429 and 418.
  package var retrySeconds: Int64 = 1

  init(status: Int = 400, _ code: Int, _ message: String) {
    self.status = status
    self.code = code
    self.message = message
  }

  static let disconnected = DialectError(
    status: 500, -1001, "Internal error; unable to process your request. Please try again.")
  static let timeout = DialectError(
    status: 504, -1007,
    "Timeout waiting for response from backend server. "
      + "Send status unknown; execution status unknown."
  )
  static let timestampOutsideWindow = DialectError(
    -1021, "Timestamp for this request is outside of the recvWindow.")
  static let timestampAhead = DialectError(
    -1021, "Timestamp for this request was 1000ms ahead of the server's time.")
  static let signature = DialectError(-1022, "Signature for this request is not valid.")
  static let invalidTimeInForce = DialectError(-1115, "Invalid timeInForce.")
  static let invalidOrderType = DialectError(-1116, "Invalid orderType.")
  static let invalidSide = DialectError(-1117, "Invalid side.")
  static let invalidSymbol = DialectError(-1121, "Invalid symbol.")
  static let invalidListenKey = DialectError(-1125, "This listenKey does not exist.")
  static let noSuchOrder = DialectError(-2013, "Order does not exist.")
  static let keyFormat = DialectError(status: 401, -2014, "API-key format invalid.")
  static let keyRejected = DialectError(
    status: 401, -2015, "Invalid API-key, IP, or permissions for action.")

  static let duplicateOrder = rejected("Duplicate order sent.")
  static let insufficientBalance = rejected(
    "Account has insufficient balance for requested action.")
  static let wouldTake = rejected("Order would immediately match and take.")
  static let marketClosed = rejected("Market is closed.")
  static let unknownOrder = DialectError(-2011, "Unknown order sent.")
  static let unsupportedCombination = rejected("Unsupported order combination")

  static let unavailable = DialectError(
    status: 503, -1008, "Request throttled by system-level protection. Please try again later.")

  /// An address that went on after 429 is banned, until a moment in milliseconds.
  static func banned(until end: Instant, now: Instant) -> DialectError {
    var error = DialectError(
      status: 418, -1003,
      "Way too much request weight used; IP banned until \(end.milliseconds). "
        + "Please use WebSocket Streams for live updates to avoid bans.")
    error.retrySeconds = (end - now).components.seconds
    return error
  }

  static func tooManyRequests(_ limit: Int) -> DialectError {
    DialectError(
      status: 429, -1003,
      "Too much request weight used; current limit is \(limit) request weight per 1 MINUTE. "
        + "Please use WebSocket Streams for live updates to avoid polling the API.")
  }

  static func tooManyOrders(_ limit: Int) -> DialectError {
    DialectError(
      status: 429, -1015, "Too many new orders; current limit is \(limit) orders per 10 SECOND.")
  }

  /// The matching engine refused a new order.
  static func rejected(_ message: String) -> DialectError { DialectError(-2010, message) }

  static func filter(_ name: String) -> DialectError {
    DialectError(-1013, "Filter failure: \(name)")
  }

  static func missing(_ parameter: String) -> DialectError {
    DialectError(
      -1102, "Mandatory parameter '\(parameter)' was not sent, was empty/null, or malformed.")
  }

  static func unneeded(_ parameter: String) -> DialectError {
    DialectError(-1106, "Parameter '\(parameter)' sent when not required.")
  }

  static func illegal(_ parameter: String, legal: String) -> DialectError {
    DialectError(
      -1100,
      "Illegal characters found in parameter '\(parameter)'; legal range is '\(legal)'.")
  }

  static func tooPrecise(_ parameter: String) -> DialectError {
    DialectError(-1111, "Parameter '\(parameter)' has too much precision.")
  }
}
