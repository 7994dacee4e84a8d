internal import Bytes
package import Chrono
package import Units

/// A parameter of a statement.
package enum SQLValue: Sendable, Hashable {
  case null
  case integer(Int64)
  /// Sent without a type, so that the server takes it as what the statement needs: text, uuid, date,
  /// an enumeration.
  case text(String)
  /// An exact number in plain digits, for amounts wider than a `Decimal`.
  case numeric(String)
  case number(Double)
  case boolean(Bool)
  case bytes([UInt8])
  /// `timestamptz` has microseconds: the nanoseconds below are cut off, never rounded up.
  case instant(Instant)
  /// `jsonb`
  case json(String)
  /// `text[]`, for `= ANY($1)` and `unnest`.
  case texts([String])
  /// `int8[]`
  case integers([Int64])
  /// A column of many rows.
  case column(SQLColumn)

  package static func decimal(_ decimal: Decimal) -> SQLValue { .numeric(decimal.description) }

  package static func optional<Value>(
    _ value: Value?, _ make: (Value) -> SQLValue
  ) -> SQLValue {
    value.map(make) ?? .null
  }
}

extension SQLValue {
  /// Object identifiers of the server's own types (pg_type.dat); 0 lets the server decide.
  var typeIdentifier: UInt32 {
    switch self {
    case .null, .text: 0
    case .boolean: 16
    case .bytes: 17
    case .integer: 20
    case .number: 701
    case .instant: 1184
    case .numeric: 1700
    case .json: 3802
    case .texts: 1009
    case .integers: 1016
    case .column(let column): column.typeIdentifier
    }
  }

  /// Bytes travel in binary, as they are, and columns.
  var isBinary: Bool {
    switch self {
    case .bytes, .column: true
    default: false
    }
  }

  /// Nil for NULL.
  var encoded: [UInt8]? {
    switch self {
    case .null: nil
    case .integer(let value): Array("\(value)".utf8)
    case .text(let text), .numeric(let text), .json(let text): Array(text.utf8)
    case .number(let value): Array("\(value)".utf8)
    case .boolean(let value): [UInt8(ascii: value ? "t" : "f")]
    case .bytes(let bytes): bytes
    case .instant(let instant): Array(Self.microseconds(instant).rfc3339.utf8)
    case .texts(let texts): Array(Self.array(texts.map(Self.quoted)).utf8)
    case .integers(let integers): Array(Self.array(integers.map { "\($0)" }).utf8)
    case .column(let column): column.encoded
    }
  }

  private static func microseconds(_ instant: Instant) -> Instant {
    let below = instant.nanoseconds % 1000
    return Instant(nanoseconds: instant.nanoseconds - (below < 0 ? below + 1000 : below))
  }

  private static func array(_ elements: [String]) -> String {
    "{\(elements.joined(separator: ","))}"
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      if scalar == "\"" || scalar == "\\" { quoted += "\\" }
      quoted.unicodeScalars.append(scalar)
    }
    return quoted + "\""
  }
}

extension SQLValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByNilLiteral
{
  package init(stringLiteral value: String) { self = .text(value) }
  package init(integerLiteral value: Int64) { self = .integer(value) }
  package init(booleanLiteral value: Bool) { self = .boolean(value) }
  package init(nilLiteral: ()) { self = .null }
}

/// One command with its parameters, `$1` being the first.
package struct Statement: Sendable, Hashable {
  package let sql: String
  package let parameters: [SQLValue]

  package init(_ sql: String, _ parameters: [SQLValue] = []) {
    self.sql = sql
    self.parameters = parameters
  }
}
