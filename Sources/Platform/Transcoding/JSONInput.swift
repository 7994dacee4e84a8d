internal import Calls
internal import JSON

/// Reads messages from proto3 JSON. Strict: what is not in the contract is refused with its path.
enum JSONInput {
  static func document(_ json: [UInt8], _ type: MessageType) throws(RPCError) -> DynamicMessage {
    try message(parse(json).root, type, at: .root)
  }

  static func parse(_ json: [UInt8]) throws(RPCError) -> JSONDocument {
    do throws(JSONError) {
      return try JSONDocument(parsing: json)
    } catch {
      throw .invalid("body", "is not JSON: \(error)")
    }
  }

  static func message(
    _ json: JSONValue, _ type: MessageType, at path: FieldPath
  ) throws(RPCError) -> DynamicMessage {
    switch type.wellKnown {
    case .any: return try any(json, at: path)
    case .wrapper:
      var message = DynamicMessage(type)
      message[0] = try element(json, type.fields[0], at: path)
      return message
    case .decimal:
      guard let text = json.stringOrNumberText else {
        throw .invalid(path.name, "is not a decimal string such as \"50123.50\"")
      }
      return try FieldText.message(text, type, at: path)
    case .timestamp, .duration, .fieldMask:
      guard let text = json.string else {
        throw .invalid(path.name, "is \(json.kind.name), not a string")
      }
      return try FieldText.message(text, type, at: path)
    case nil: break
    }
    guard let object = json.object else {
      throw .invalid(path.name, "is \(json.kind.name), not an object")
    }
    return try fields(object, type, at: path, ignoring: nil)
  }

  private static func fields(
    _ object: JSONObject, _ type: MessageType, at path: FieldPath, ignoring ignored: String?
  ) throws(RPCError) -> DynamicMessage {
    var message = DynamicMessage(type)
    var seen: Set<Int> = []
    for member in object {
      let name = member.name
      if name == ignored { continue }
      guard let slot = type.slot(named: name) else {
        throw .invalid(path.field(name).name, "is not a field of \(type.name)")
      }
      let field = type.fields[slot]
      let at = path.field(field.jsonName)
      guard seen.insert(slot).inserted else { throw .invalid(at.name, "is given twice") }
      // Null is the field's default, as proto3 JSON has it.
      if member.value.isNull { continue }
      if let rival = message.rival(of: slot) {
        throw .invalid(at.name, "excludes \(type.fields[rival].jsonName), which is given too")
      }
      message[slot] = try value(member.value, field, at: at)
    }
    return message
  }

  /// A field's whole value: for a repeated field an array, for a map an object.
  static func value(
    _ json: JSONValue, _ field: FieldType, at path: FieldPath
  ) throws(RPCError) -> DynamicValue {
    guard field.isRepeated else { return try element(json, field, at: path) }
    if case .message(let index) = field.kind {
      let entry = Schema.contracts.messages[index]
      if entry.isMapEntry { return .list(try map(json, entry, at: path)) }
    }
    guard let array = json.array else {
      throw .invalid(path.name, "is \(json.kind.name), not an array")
    }
    var elements: [DynamicValue] = []
    elements.reserveCapacity(array.count)
    for value in array {
      let at = path.element(elements.count)
      guard !value.isNull else { throw .invalid(at.name, "is null") }
      elements.append(try element(value, field, at: at))
    }
    return .list(elements)
  }

  private static func map(
    _ json: JSONValue, _ entry: MessageType, at path: FieldPath
  ) throws(RPCError) -> [DynamicValue] {
    guard let object = json.object else {
      throw .invalid(path.name, "is \(json.kind.name), not an object")
    }
    var entries: [DynamicValue] = []
    var seen: Set<String> = []
    for member in object {
      let name = member.name
      let at = path.field(name)
      guard seen.insert(name).inserted else { throw .invalid(at.name, "is given twice") }
      guard !member.value.isNull else { throw .invalid(at.name, "is null") }
      var message = DynamicMessage(entry)
      message[0] = try FieldText.value(name, as: entry.fields[0], at: at)
      message[1] = try element(member.value, entry.fields[1], at: at)
      entries.append(.message(message))
    }
    return entries
  }

  private static func element(
    _ json: JSONValue, _ field: FieldType, at path: FieldPath
  ) throws(RPCError) -> DynamicValue {
    switch field.kind {
    case .message(let index):
      return .message(try message(json, Schema.contracts.messages[index], at: path))
    case .bool:
      guard let value = json.bool else { throw wrongKind(json, "true or false", at: path) }
      return .bool(value)
    case .text, .bytes:
      guard let text = json.string else { throw wrongKind(json, "a string", at: path) }
      return try FieldText.value(text, as: field, at: path)
    case .enumeration:
      guard let text = json.stringOrNumberText else {
        throw wrongKind(json, "the name of a value", at: path)
      }
      return try FieldText.value(text, as: field, at: path)
    default:
      guard let text = json.stringOrNumberText else { throw wrongKind(json, "a number", at: path) }
      return try FieldText.value(text, as: field, at: path)
    }
  }

  private static func wrongKind(
    _ json: JSONValue, _ wanted: String, at path: FieldPath
  ) -> RPCError {
    .invalid(path.name, "is \(json.kind.name), not \(wanted)")
  }

  /// `{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "..."}`
  private static func any(_ json: JSONValue, at path: FieldPath) throws(RPCError) -> DynamicMessage
  {
    guard let object = json.object else {
      throw .invalid(path.name, "is \(json.kind.name), not an object")
    }
    let type = Schema.contracts.message(named: WellKnown.any.rawValue)!
    if object.isEmpty { return DynamicMessage(type) }
    guard let url = object["@type"]?.string, let slash = url.lastIndex(of: "/"),
      let held = Schema.contracts.message(named: String(url[url.index(after: slash)...]))
    else { throw .invalid(path.field("@type").name, "names no message of the contracts") }
    guard object.duplicateName == nil else { throw .invalid(path.name, "gives a member twice") }
    let content: DynamicMessage
    if held.wellKnown != nil {
      guard let value = object["value"], object.count == 2 else {
        throw .invalid(path.field("value").name, "must be the only member beside @type")
      }
      content = try message(value, held, at: path.field("value"))
    } else {
      content = try fields(object, held, at: path, ignoring: "@type")
    }
    var any = DynamicMessage(type)
    (any[0], any[1]) = (.text(url), .bytes(content.encoded()))
    return any
  }
}
