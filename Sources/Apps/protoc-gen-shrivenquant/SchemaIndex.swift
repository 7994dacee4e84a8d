/// All files of one run, and what their names mean.
struct SchemaIndex {
  let files: [FileSchema]
  private var swiftTypes: [String: String] = [:]
  private var messages: [String: MessageSchema] = [:]

  init(_ files: [FileSchema]) {
    self.files = files
    for file in files {
      let namespace = SwiftName.namespace(file.package)
      for message in file.messages { add(message, in: namespace) }
      for declaration in file.enums { add(declaration, in: namespace) }
    }
  }

  private mutating func add(_ message: MessageSchema, in scope: String) {
    let name = "\(scope).\(SwiftName.type(message.name))"
    swiftTypes[message.fullName] = name
    messages[message.fullName] = message
    for nested in message.messages { add(nested, in: name) }
    for declaration in message.enums { add(declaration, in: name) }
  }

  private mutating func add(_ declaration: EnumSchema, in scope: String) {
    swiftTypes[declaration.fullName] = "\(scope).\(SwiftName.type(declaration.name))"
  }

  /// `OmsV1.OrderEvent.Kind` for `shrivenquant.oms.v1.OrderEvent.Kind`.
  func swiftType(_ fullName: String) -> String { swiftTypes[fullName] ?? fullName }

  func message(_ fullName: String) -> MessageSchema? { messages[fullName] }

  /// The entry message, when the field is a map.
  func mapEntry(_ field: FieldSchema) -> MessageSchema? {
    guard field.isRepeated, field.kind == .message, let entry = messages[field.typeName],
      entry.isMapEntry
    else { return nil }
    return entry
  }

  /// Whether a value of `start` can hold a value of `owner` without an array between them: such a
  /// struct would have no finite size.
  func holds(_ start: String, _ owner: String) -> Bool {
    var open = [start]
    var seen: Set<String> = []
    while let next = open.popLast() {
      if next == owner { return true }
      guard seen.insert(next).inserted, let message = messages[next] else { continue }
      for field in message.fields where field.kind == .message && !field.isRepeated {
        open.append(field.typeName)
      }
    }
    return false
  }

  /// The number of an extension of MethodOptions, found by its name.
  func methodOption(_ fullName: String) -> UInt32? {
    for file in files {
      for field in file.extensions where "\(file.package).\(field.name)" == fullName {
        return field.number
      }
    }
    return nil
  }
}
