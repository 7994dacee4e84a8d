internal import Bytes
internal import Calls
internal import JSON
internal import Units
internal import Wire

/// Writes messages as proto3 JSON: lowerCamel names, 64-bit integers as strings, enums by name, scalar
/// defaults shown, absent messages and oneof members omitted.
enum JSONOutput {
  /// Our own message that cannot be shown is our fault: INTERNAL.
  static func write(_ message: DynamicMessage, to writer: inout JSONWriter) throws(RPCError) {
    if try writeWellKnown(message, to: &writer) { return }
    writer.beginObject()
    try writeFields(message, to: &writer)
    writer.endObject()
  }

  private static func writeFields(
    _ message: DynamicMessage, to writer: inout JSONWriter
  ) throws(RPCError) {
    for (slot, field) in message.type.fields.enumerated() {
      if let value = message[slot] {
        writer.name(field.jsonName)
        try write(value, field, to: &writer)
      } else if field.isRepeated || (field.oneof == nil && !field.isMessage) {
        writer.name(field.jsonName)
        writeDefault(field, to: &writer)
      }
    }
  }

  /// A field's whole value.
  static func write(
    _ value: DynamicValue, _ field: FieldType, to writer: inout JSONWriter
  ) throws(RPCError) {
    guard case .list(let elements) = value else {
      try writeElement(value, field, to: &writer)
      return
    }
    if case .message(let index) = field.kind, Schema.contracts.messages[index].isMapEntry {
      try writeMap(elements, to: &writer)
      return
    }
    writer.beginArray()
    for element in elements { try writeElement(element, field, to: &writer) }
    writer.endArray()
  }

  static func writeDefault(_ field: FieldType, to writer: inout JSONWriter) {
    if field.isRepeated {
      if case .message(let index) = field.kind, Schema.contracts.messages[index].isMapEntry {
        writer.beginObject()
        writer.endObject()
      } else {
        writer.beginArray()
        writer.endArray()
      }
      return
    }
    switch field.kind {
    case .double, .float, .int32, .sint32, .sfixed32, .uint32, .fixed32: writer.integer(0)
    case .int64, .sint64, .sfixed64, .uint64, .fixed64: writer.string("0")
    case .bool: writer.bool(false)
    case .text, .bytes: writer.string("")
    case .enumeration(let index): writeEnum(0, Schema.contracts.enums[index], to: &writer)
    case .message: writer.null()
    }
  }

  private static func writeElement(
    _ value: DynamicValue, _ field: FieldType, to writer: inout JSONWriter
  ) throws(RPCError) {
    let isWide =
      switch field.kind {
      case .int64, .sint64, .sfixed64, .uint64, .fixed64: true
      default: false
      }
    switch value {
    case .signed(let value):
      if isWide { writer.string(String(value)) } else { writer.integer(value) }
    case .unsigned(let value):
      if isWide { writer.string(String(value)) } else { writer.integer(value) }
    case .real(let value):
      if field.kind == .float, value.isFinite {
        // The shortest text of the Float, not of the Double that holds it.
        writer.number(text: Float(value).description)
      } else {
        writer.double(value)
      }
    case .bool(let value): writer.bool(value)
    case .text(let value): writer.string(value)
    case .bytes(let value): writer.string(Base64.standard.encode(value))
    case .enumeration(let value):
      guard case .enumeration(let index) = field.kind else { return }
      writeEnum(value, Schema.contracts.enums[index], to: &writer)
    case .message(let message): try write(message, to: &writer)
    case .list: preconditionFailure("a list within a list")
    }
  }

  /// A number without a name (a newer peer's) stays a number.
  private static func writeEnum(_ value: Int32, _ type: EnumType, to writer: inout JSONWriter) {
    if let name = type.name(of: value) { writer.string(name) } else { writer.integer(value) }
  }

  private static func writeMap(
    _ entries: [DynamicValue], to writer: inout JSONWriter
  ) throws(RPCError) {
    var last: [String: DynamicMessage] = [:]
    for case .message(let entry) in entries { last[keyText(entry)] = entry }
    writer.beginObject()
    for (key, entry) in last.sorted(by: { $0.key < $1.key }) {
      writer.name(key)
      let field = entry.type.fields[1]
      if let value = entry[1] {
        try write(value, field, to: &writer)
      } else if case .message(let index) = field.kind {
        try write(DynamicMessage(Schema.contracts.messages[index]), to: &writer)
      } else {
        writeDefault(field, to: &writer)
      }
    }
    writer.endObject()
  }

  private static func keyText(_ entry: DynamicMessage) -> String {
    switch entry[0] {
    case .text(let text)?: text
    case .signed(let value)?: String(value)
    case .unsigned(let value)?: String(value)
    case .bool(let value)?: String(value)
    default:
      switch entry.type.fields[0].kind {
      case .text: ""
      case .bool: "false"
      default: "0"
      }
    }
  }
}

// MARK: - Well-known types

extension JSONOutput {
  /// True when the message had a form of its own.
  private static func writeWellKnown(
    _ message: DynamicMessage, to writer: inout JSONWriter
  ) throws(RPCError) -> Bool {
    switch message.type.wellKnown {
    case nil: return false
    case .timestamp:
      let (seconds, nanos) = clock(message)
      guard TimeText.timestampSeconds.contains(seconds), (0..<1_000_000_000).contains(nanos) else {
        throw unshowable(message, "its time is outside the years 1 to 9999")
      }
      writer.string(TimeText.timestamp(seconds: seconds, nanos: nanos))
    case .duration:
      let (seconds, nanos) = clock(message)
      guard TimeText.durationSeconds.contains(seconds), abs(Int64(nanos)) < 1_000_000_000,
        seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0)
      else { throw unshowable(message, "its seconds and nanos do not fit") }
      writer.string(TimeText.duration(seconds: seconds, nanos: nanos))
    case .fieldMask:
      let paths = message.elements(0).compactMap {
        if case .text(let path) = $0 { lowerCamel(path) } else { nil }
      }
      writer.string(paths.joined(separator: ","))
    case .decimal: try writeDecimal(message, to: &writer)
    case .wrapper:
      let field = message.type.fields[0]
      if let value = message[0] {
        try write(value, field, to: &writer)
      } else {
        writeDefault(field, to: &writer)
      }
    case .any: try writeAny(message, to: &writer)
    }
    return true
  }

  private static func unshowable(_ message: DynamicMessage, _ why: String) -> RPCError {
    RPCError(.internalError, "a \(message.type.name) cannot be shown: \(why)")
  }

  private static func clock(_ message: DynamicMessage) -> (Int64, Int32) {
    var (seconds, nanos) = (Int64(0), Int64(0))
    if case .signed(let value)? = message[0] { seconds = value }
    if case .signed(let value)? = message[1] { nanos = value }
    return (seconds, Int32(nanos))
  }

  private static func writeDecimal(
    _ message: DynamicMessage, to writer: inout JSONWriter
  ) throws(RPCError) {
    var (units, scale) = (Int64(0), UInt64(0))
    if case .signed(let value)? = message[0] { units = value }
    if case .unsigned(let value)? = message[1] { scale = value }
    do throws(DecimalError) {
      let decimal = try Decimal(checking: units, scale: UInt32(truncatingIfNeeded: scale))
      writer.string(decimal.description)
    } catch {
      throw unshowable(message, "its scale is \(scale)")
    }
  }

  /// A type that is not of the contracts is shown as its bytes.
  private static func writeAny(
    _ message: DynamicMessage, to writer: inout JSONWriter
  ) throws(RPCError) {
    var (url, bytes) = ("", [UInt8]())
    if case .text(let text)? = message[0] { url = text }
    if case .bytes(let value)? = message[1] { bytes = value }
    let name = url.lastIndex(of: "/").map { String(url[url.index(after: $0)...]) } ?? url
    writer.beginObject()
    if !url.isEmpty { writer.member("@type", url) }
    if let type = Schema.contracts.message(named: name) {
      let content = try decode(type, bytes)
      if type.wellKnown == nil {
        try writeFields(content, to: &writer)
      } else {
        writer.name("value")
        try write(content, to: &writer)
      }
    } else if !bytes.isEmpty {
      writer.member("value", Base64.standard.encode(bytes))
    }
    writer.endObject()
  }

  static func decode(_ type: MessageType, _ bytes: [UInt8]) throws(RPCError) -> DynamicMessage {
    do throws(WireError) {
      return try DynamicMessage(type, decoding: bytes)
    } catch {
      throw RPCError(.internalError, "malformed \(type.name): \(error)")
    }
  }
}
