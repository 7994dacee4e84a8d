internal import CSimdJSON

/// One value of a document: a light reference, 16 bytes.
package struct JSONValue: Sendable, CustomStringConvertible {
  package enum Kind: Sendable, Hashable {
    case null, bool, number, string, array, object

    /// With its article, for messages: `an array`.
    package var name: String {
      switch self {
      case .null: "null"
      case .bool: "a Boolean"
      case .number: "a number"
      case .string: "a string"
      case .array: "an array"
      case .object: "an object"
      }
    }
  }

  let tree: JSONTree
  let index: Int

  var node: csimdjson_node { tree.nodes[index] }

  package var kind: Kind {
    switch node.kind {
    case CSIMDJSON_NULL: .null
    case CSIMDJSON_FALSE, CSIMDJSON_TRUE: .bool
    case CSIMDJSON_NUMBER: .number
    case CSIMDJSON_STRING: .string
    case CSIMDJSON_ARRAY: .array
    default: .object
    }
  }

  package var isNull: Bool { node.kind == CSIMDJSON_NULL }

  package var bool: Bool? {
    switch node.kind {
    case CSIMDJSON_FALSE: false
    case CSIMDJSON_TRUE: true
    default: nil
    }
  }

  /// The string, unescaped.
  package var string: String? { node.kind == CSIMDJSON_STRING ? tree.string(index) : nil }

  /// A number exactly as written: `0.10`, `1e3`. Money is read from this, never through Double.
  package var numberText: String? {
    node.kind == CSIMDJSON_NUMBER ? tree.text(node.start, node.end) : nil
  }

  /// The text of a string or of a number: exchanges write prices both ways.
  package var stringOrNumberText: String? { string ?? numberText }

  /// A number written as an integer that fits; `1.0` and `1e3` are nil.
  package var int64: Int64? { integer(Int64.self) }
  package var uint64: UInt64? { integer(UInt64.self) }
  package var int: Int? { integer(Int.self) }

  /// The nearest Double, for statistics and settings, never for money; nil when it overflows.
  package var double: Double? {
    guard let text = numberText, let value = Double(text), value.isFinite else { return nil }
    return value
  }

  package var array: JSONArray? {
    node.kind == CSIMDJSON_ARRAY ? JSONArray(tree: tree, index: index) : nil
  }

  package var object: JSONObject? {
    node.kind == CSIMDJSON_OBJECT ? JSONObject(tree: tree, index: index) : nil
  }

  /// The member of an object; nil when this is no object or has no such member.
  package subscript(_ key: String) -> JSONValue? { object?[key] }
  /// The element of an array; nil when this is no array or is shorter.
  package subscript(_ position: Int) -> JSONValue? { array?[position] }

  /// True when this is the string `text`; makes no String.
  package func isString(_ text: String) -> Bool {
    var text = text
    return node.kind == CSIMDJSON_STRING && text.withUTF8 { tree.isString(index, $0) }
  }

  /// The value's text as it stands in the source, a string with its quotes and escapes.
  package var source: ArraySlice<UInt8> {
    let quote = node.kind == CSIMDJSON_STRING ? 1 : 0
    return tree.bytes[Int(node.start) - quote..<Int(node.end) + quote]
  }

  package var description: String { String(decoding: source, as: UTF8.self) }

  private func integer<I: FixedWidthInteger>(_: I.Type) -> I? {
    guard node.kind == CSIMDJSON_NUMBER else { return nil }
    var digits = tree.bytes[Int(node.start)..<Int(node.end)]
    let isNegative = digits.first == UInt8(ascii: "-")
    if isNegative { digits.removeFirst() }
    var value: I = 0
    for byte in digits {
      // A point or an exponent is below or above the digits.
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      let digit = I(byte - UInt8(ascii: "0"))
      let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carried) =
        isNegative
        ? scaled.subtractingReportingOverflow(digit) : scaled.addingReportingOverflow(digit)
      if overflow || carried { return nil }
      value = sum
    }
    return value
  }
}
