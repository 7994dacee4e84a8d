/// A field of a log line. There is no way to make one from a `Secret` that shows the secret.
package enum LogValue: Sendable, Hashable {
  case text(String)
  case integer(Int64)
  case number(Double)
  case boolean(Bool)

  package init(_ value: some BinaryInteger) {
    if let integer = Int64(exactly: value) {
      self = .integer(integer)
    } else {
      // Beyond 64 bits JSON readers lose digits: such numbers travel as text.
      self = .text(String(value))
    }
  }

  package init(_ value: Double) { self = .number(value) }
  package init(_ value: Bool) { self = .boolean(value) }
  package init(_ value: String) { self = .text(value) }

  /// By its description: errors, durations, decimals, identifiers.
  package init(describing value: some Any) { self = .text(String(describing: value)) }
}

extension LogValue: ExpressibleByStringInterpolation {
  package init(stringLiteral value: String) { self = .text(value) }
}

extension LogValue: ExpressibleByIntegerLiteral {
  package init(integerLiteral value: Int64) { self = .integer(value) }
}

extension LogValue: ExpressibleByFloatLiteral {
  package init(floatLiteral value: Double) { self = .number(value) }
}

extension LogValue: ExpressibleByBooleanLiteral {
  package init(booleanLiteral value: Bool) { self = .boolean(value) }
}

/// Named fields in the order they are printed.
package typealias LogFields = KeyValuePairs<String, LogValue>
