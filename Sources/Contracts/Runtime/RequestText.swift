package import Calls
package import Wire

/// Decodes a request. Text bound for a database, a log or a venue is checked here, once for all methods,
/// by gRPC and by REST alike: NUL is INVALID_ARGUMENT anywhere, any control character in what names
/// something, with the field named.
package func decodeRequest<M: Message>(_ bytes: [UInt8]) throws(RPCError) -> M {
  do throws(WireError) {
    return try M(decodingPlainText: bytes)
  } catch .controlCharacter {
    let violations = RequestText.violations(in: bytes, of: M.typeName)
    guard violations.isEmpty else {
      let text = violations.map { "\($0.field) \($0.problem)" }.joined(separator: "; ")
      throw RPCError(.invalidArgument, text, details: [.badRequest(violations)])
    }
    return try decodeMessage(bytes)
  } catch {
    throw RPCError(.internalError, "malformed \(M.typeName): \(error)")
  }
}

/// Which texts of a request hold characters that they may not hold. Asked only when there are some.
enum RequestText {
  /// What people write sentences in: lines and tabs are theirs.
  private static let sentences: Set<String> = [
    "body", "comment", "content", "description", "detail", "json", "message", "note", "password",
    "query", "reason", "text", "title",
  ]

  struct Field {
    let name: String
    let jsonName: String
    /// Of a nested message; nil: a text.
    let message: String?
  }

  /// Texts and messages of every message of the contracts, by number.
  static let fields: [String: [UInt32: Field]] = {
    var found: [String: [UInt32: Field]] = [:]
    for file in FileDescriptor.all {
      do throws(WireError) {
        let descriptor = try DescriptorFile(file.bytes)
        found.merge(descriptor.messages) { first, _ in first }
      } catch {
        preconditionFailure("the generated descriptor of \(file.name) is damaged: \(error)")
      }
    }
    return found
  }()

  static func violations(in bytes: [UInt8], of message: String) -> [FieldViolation] {
    var found: [FieldViolation] = []
    do throws(WireError) {
      try collect(bytes, message, "", depth: 0, &found)
    } catch {
      // Malformed bytes are refused by who decodes them.
    }
    return found
  }

  private static func collect(
    _ bytes: [UInt8], _ message: String, _ path: String, depth: Int,
    _ found: inout [FieldViolation]
  ) throws(WireError) {
    guard depth < WireReader.depthMax, let known = fields[message] else { return }
    for part in try WireParts(bytes).parts {
      guard let content = part.content, let field = known[part.number] else { continue }
      let place = path + field.jsonName
      if let nested = field.message {
        try collect(content, nested, place + ".", depth: depth + 1, &found)
      } else if let character = refused(content, field.name) {
        let code = String(character, radix: 16, uppercase: true)
        let digits = String(repeating: "0", count: 4 - code.count) + code
        found.append(
          FieldViolation(field: place, problem: "must not hold the control character U+\(digits)"))
      }
    }
  }

  private static func refused(_ text: [UInt8], _ name: String) -> UInt8? {
    if sentences.contains(name) { return text.first { $0 == 0 } }
    return text.first { $0 < 0x20 || $0 == 0x7F }
  }
}

/// The fields of a message as they are on the wire; `content` is nil for what has no length.
private struct WireParts {
  private(set) var parts: [(number: UInt32, content: [UInt8]?, value: UInt64)] = []

  init(_ bytes: [UInt8]) throws(WireError) {
    var parts = parts
    try bytes.withUnsafeBufferPointer { (buffer) throws(WireError) in
      var reader = WireReader(UnsafeRawBufferPointer(buffer))
      while true {
        let tag = try reader.tag()
        switch tag & 7 {
        case 0 where tag == 0: return
        case 0: parts.append((tag >> 3, nil, try reader.varint()))
        case 2: parts.append((tag >> 3, try reader.bytes(), 0))
        default: try reader.skip(tag)
        }
      }
    }
    self.parts = parts
  }

  func texts(_ number: UInt32) -> [String] {
    parts.filter { $0.number == number }.compactMap(\.content)
      .map { String(decoding: $0, as: UTF8.self) }
  }

  func contents(_ number: UInt32) -> [[UInt8]] {
    parts.filter { $0.number == number }.compactMap(\.content)
  }

  func value(_ number: UInt32) -> UInt64 { parts.last { $0.number == number }?.value ?? 0 }
}

/// What is needed of a google.protobuf.FileDescriptorProto; the numbers are those of descriptor.proto.
private struct DescriptorFile {
  private(set) var messages: [String: [UInt32: RequestText.Field]] = [:]

  init(_ bytes: [UInt8]) throws(WireError) {
    let file = try WireParts(bytes)
    let package = file.texts(2).last.map { $0 + "." } ?? ""
    for message in file.contents(4) { try add(message, in: package) }
  }

  private mutating func add(_ bytes: [UInt8], in scope: String) throws(WireError) {
    let message = try WireParts(bytes)
    let name = scope + (message.texts(1).last ?? "")
    var fields: [UInt32: RequestText.Field] = [:]
    for part in message.contents(2) {
      let field = try WireParts(part)
      let type = field.value(5)
      // TYPE_STRING and TYPE_MESSAGE.
      guard type == 9 || type == 11, let fieldName = field.texts(1).last else { continue }
      fields[UInt32(truncatingIfNeeded: field.value(3))] = RequestText.Field(
        name: fieldName, jsonName: field.texts(10).last ?? Self.camel(fieldName),
        message: type == 11 ? field.texts(6).last.map { String($0.dropFirst()) } : nil)
    }
    messages[name] = fields
    for nested in message.contents(3) { try add(nested, in: name + ".") }
  }

  /// `client_order_id` is `clientOrderId`.
  private static func camel(_ name: String) -> String {
    let words = name.split(separator: "_")
    return (words.first.map(String.init) ?? "")
      + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }
}
