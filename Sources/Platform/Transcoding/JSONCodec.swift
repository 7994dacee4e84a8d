package import Calls
internal import JSON

/// Any message of the contracts between its wire bytes and its proto3 JSON, by full name.
package enum JSONCodec {
  /// The JSON of a message. `pretty` puts each member on a line of its own, for people.
  package static func encode(
    _ typeName: String, _ bytes: [UInt8], pretty: Bool = false
  ) throws(RPCError) -> [UInt8] {
    let message = try JSONOutput.decode(type(typeName), bytes)
    var writer = JSONWriter(reserving: bytes.count * 3 + 64)
    try JSONOutput.write(message, to: &writer)
    return pretty ? indented(writer.finished()) : writer.finished()
  }

  /// The wire bytes of a JSON text. What is wrong with it is INVALID_ARGUMENT with the field's path.
  package static func decode(_ typeName: String, _ json: [UInt8]) throws(RPCError) -> [UInt8] {
    try JSONInput.document(json, type(typeName)).encoded()
  }

  /// Full names of all messages that can be named here.
  package static var typeNames: [String] { Schema.contracts.messages.map(\.name) }

  static func type(_ name: String) throws(RPCError) -> MessageType {
    guard let type = Schema.contracts.message(named: name) else {
      throw RPCError(.unimplemented, "no message of the contracts is named \(name)")
    }
    return type
  }

  /// Valid JSON in, the same with line breaks and two spaces a level out.
  private static func indented(_ json: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    var depth = 0
    var inString = false
    var isEscaped = false
    func breakLine(_ out: inout [UInt8], _ depth: Int) {
      out.append(UInt8(ascii: "\n"))
      out += [UInt8](repeating: UInt8(ascii: " "), count: depth * 2)
    }
    for (offset, byte) in json.enumerated() {
      if inString {
        out.append(byte)
        inString = isEscaped || byte != UInt8(ascii: "\"")
        isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
        continue
      }
      switch byte {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        out.append(byte)
        // The closing bracket is two more than the opening one, in ASCII.
        if offset + 1 < json.count, json[offset + 1] != byte + 2 {
          depth += 1
          breakLine(&out, depth)
        }
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if json[offset - 1] != byte - 2 {
          depth -= 1
          breakLine(&out, depth)
        }
        out.append(byte)
      case UInt8(ascii: ","):
        out.append(byte)
        breakLine(&out, depth)
      case UInt8(ascii: ":"): out += [byte, UInt8(ascii: " ")]
      default:
        inString = byte == UInt8(ascii: "\"")
        out.append(byte)
      }
    }
    return out
  }
}
