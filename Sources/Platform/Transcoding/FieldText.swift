internal import Bytes
internal import Calls
internal import Units
internal import Wire

/// Reads one field's value from text: a JSON string, a number's digits, a path segment, a query value.
enum FieldText {
  static func value(
    _ text: String, as field: FieldType, at path: FieldPath
  ) throws(RPCError) -> DynamicValue {
    switch field.kind {
    case .double, .float: return .real(try real(text, as: field.kind, at: path))
    case .int32, .sint32, .sfixed32:
      guard let value = Int32(integer: text) else {
        throw .invalid(path.name, "is not a 32-bit integer")
      }
      return .signed(Int64(value))
    case .int64, .sint64, .sfixed64:
      guard let value = Int64(integer: text) else {
        throw .invalid(path.name, "is not a 64-bit integer")
      }
      return .signed(value)
    case .uint32, .fixed32:
      guard let value = UInt32(integer: text) else {
        throw .invalid(path.name, "is not an unsigned 32-bit integer")
      }
      return .unsigned(UInt64(value))
    case .uint64, .fixed64:
      guard let value = UInt64(integer: text) else {
        throw .invalid(path.name, "is not an unsigned 64-bit integer")
      }
      return .unsigned(value)
    case .bool:
      guard text == "true" || text == "false" else {
        throw .invalid(path.name, "is not true or false")
      }
      return .bool(text == "true")
    case .text: return .text(text)
    case .bytes: return .bytes(try bytes(text, at: path))
    case .enumeration(let index):
      return .enumeration(try enumeration(text, Schema.contracts.enums[index], at: path))
    case .message(let index):
      return .message(try message(text, Schema.contracts.messages[index], at: path))
    }
  }

  private static func real(
    _ text: String, as kind: FieldType.Kind, at path: FieldPath
  ) throws(RPCError) -> Double {
    switch text {
    case "NaN": return .nan
    case "Infinity": return .infinity
    case "-Infinity": return -.infinity
    default: break
    }
    // Double's own parser takes hexadecimal and names as well.
    let isPlain =
      !text.isEmpty
      && text.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"),
          UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
          true
        default: false
        }
      }
    guard isPlain, let value = Double(text) else { throw .invalid(path.name, "is not a number") }
    guard value.isFinite, kind == .double || Float(value).isFinite else {
      throw .invalid(path.name, "is out of range")
    }
    return value
  }

  /// Either alphabet, padded or not.
  private static func bytes(_ text: String, at path: FieldPath) throws(RPCError) -> [UInt8] {
    var digits = text.utf8.map { byte -> UInt8 in
      switch byte {
      case UInt8(ascii: "+"): UInt8(ascii: "-")
      case UInt8(ascii: "/"): UInt8(ascii: "_")
      default: byte
      }
    }
    while digits.last == UInt8(ascii: "=") { digits.removeLast() }
    do throws(Base64Error) {
      return try Base64.url.decode(digits)
    } catch {
      throw .invalid(path.name, "is not base64")
    }
  }

  private static func enumeration(
    _ text: String, _ type: EnumType, at path: FieldPath
  ) throws(RPCError) -> Int32 {
    if let number = type.number(of: text) { return number }
    if let number = Int32(integer: text), type.name(of: number) != nil { return number }
    throw .invalid(path.name, "is not a value of \(type.name)")
  }

  /// A message whose JSON is one text: a time, a duration, a mask, a decimal, a wrapper.
  static func message(
    _ text: String, _ type: MessageType, at path: FieldPath
  ) throws(RPCError) -> DynamicMessage {
    var message = DynamicMessage(type)
    switch type.wellKnown {
    case .timestamp:
      guard let time = TimeText.timestamp(parsing: text) else {
        throw .invalid(path.name, "is not an RFC 3339 time such as 2026-01-31T23:59:59.5Z")
      }
      (message[0], message[1]) = (.signed(time.seconds), .signed(Int64(time.nanos)))
    case .duration:
      guard let duration = TimeText.duration(parsing: text) else {
        throw .invalid(path.name, "is not a duration in seconds such as 1.5s")
      }
      (message[0], message[1]) = (.signed(duration.seconds), .signed(Int64(duration.nanos)))
    case .fieldMask:
      let paths = text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false)
      message[0] = .list(paths.map { .text(snake($0)) })
    case .decimal:
      do throws(DecimalError) {
        let decimal = try Decimal(parsing: text)
        (message[0], message[1]) = (.signed(decimal.units), .unsigned(UInt64(decimal.scale)))
      } catch {
        throw .invalid(path.name, error.problem)
      }
    case .wrapper: message[0] = try value(text, as: type.fields[0], at: path)
    case .any, nil: throw .invalid(path.name, "is an object, not one value")
    }
    return message
  }

  /// `orderId` is `order_id`; a name in snake case stays.
  private static func snake(_ path: Substring) -> String {
    path.reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) }
  }
}

extension FixedWidthInteger {
  /// JSON's integers: `-?(0|[1-9][0-9]*)`; no plus sign, no leading zeros, no exponent.
  fileprivate init?(integer text: String) {
    let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
    guard let first = digits.utf8.first, first != UInt8(ascii: "0") || digits.utf8.count == 1,
      digits.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") })
    else { return nil }
    self.init(text, radix: 10)
  }
}
