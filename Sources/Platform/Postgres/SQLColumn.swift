package import Chrono

/// One column of many rows, each given by its index, as one parameter, for `unnest($1, $2, …)`: a statement writes all the rows,
/// and is parsed and planned once for all of them. Travels in PostgreSQL's binary form of an array.
package struct SQLColumn: Sendable, Hashable {
  /// Object identifiers of the server's own types (pg_type.dat).
  private enum Element: UInt32 {
    case boolean = 16
    case bytes = 17
    case integer = 20
    case text = 25
    case instant = 1184
  }

  private let element: Element
  private var count: Int32 = 0
  private var hasNull = false
  /// Of each value its length, or -1 for NULL, and what it is.
  private var values: [UInt8] = []

  private init(_ element: Element, rows: Int, of size: Int) {
    self.element = element
    values.reserveCapacity(rows * (4 + size))
  }

  package static func integers(_ rows: Int, _ value: (Int) -> Int64) -> SQLValue {
    var column = SQLColumn(.integer, rows: rows, of: 8)
    for row in 0..<rows { column.append(value(row)) }
    return .column(column)
  }

  /// Also for what the statement casts to: `$1::numeric[]`.
  package static func texts(_ rows: Int, _ text: (Int) -> String?) -> SQLValue {
    var column = SQLColumn(.text, rows: rows, of: 16)
    for row in 0..<rows {
      if let text = text(row) { column.append(text.utf8, text.utf8.count) } else { column.skip() }
    }
    return .column(column)
  }

  package static func bytes(_ rows: Int, _ bytes: (Int) -> [UInt8]) -> SQLValue {
    var column = SQLColumn(.bytes, rows: rows, of: 256)
    for row in 0..<rows {
      let bytes = bytes(row)
      column.append(bytes, bytes.count)
    }
    return .column(column)
  }

  package static func booleans(_ rows: Int, _ value: (Int) -> Bool) -> SQLValue {
    var column = SQLColumn(.boolean, rows: rows, of: 1)
    for row in 0..<rows { column.append(CollectionOfOne(value(row) ? 1 : 0), 1) }
    return .column(column)
  }

  /// `timestamptz` has microseconds: the nanoseconds below are cut off, never rounded up.
  package static func instants(_ rows: Int, _ instant: (Int) -> Instant?) -> SQLValue {
    var column = SQLColumn(.instant, rows: rows, of: 8)
    for row in 0..<rows {
      guard let nanoseconds = instant(row)?.nanoseconds else {
        column.skip()
        continue
      }
      let whole = nanoseconds / 1000 - (nanoseconds % 1000 < 0 ? 1 : 0)
      column.append(whole - Self.epochMicroseconds)
    }
    return .column(column)
  }

  /// 2000-01-01T00:00:00Z, where PostgreSQL's timestamps begin.
  private static let epochMicroseconds: Int64 = 946_684_800_000_000

  private mutating func append(_ value: Int64) {
    withUnsafeBytes(of: value.bigEndian) { append($0, 8) }
  }

  private mutating func append(_ bytes: some Sequence<UInt8>, _ size: Int) {
    count += 1
    put(Int32(size))
    values.append(contentsOf: bytes)
  }

  private mutating func skip() {
    count += 1
    hasNull = true
    put(-1)
  }

  private mutating func put(_ number: Int32) {
    withUnsafeBytes(of: number.bigEndian) { values.append(contentsOf: $0) }
  }

  var typeIdentifier: UInt32 {
    switch element {
    case .boolean: 1000
    case .bytes: 1001
    case .integer: 1016
    case .text: 1009
    case .instant: 1185
    }
  }

  var encoded: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(20 + values.count)
    let dimensions: [Int32] = count == 0 ? [] : [count, 1]
    let head = [count == 0 ? 0 : 1, hasNull ? 1 : 0, Int32(element.rawValue)] + dimensions
    for number in head {
      withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }
    return bytes + values
  }
}
