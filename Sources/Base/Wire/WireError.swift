/// Why bytes are not a message. Offsets count from the start of the outermost message.
public enum WireError: Error, Sendable, Hashable {
  case truncated(offset: Int)
  /// A varint longer than ten bytes, or a tag longer than five.
  case overlongVarint(offset: Int)
  /// Field number 0, or over 2^29 - 1.
  case badFieldNumber(offset: Int)
  /// Groups (wire types 3 and 4), which proto3 never writes, and the two unassigned wire types.
  case badWireType(UInt8, offset: Int)
  case notUTF8(offset: Int)
  /// Where the reader was asked to refuse them; the offset is of the text.
  case controlCharacter(offset: Int)
  /// A packed field whose length cuts its last element.
  case raggedPacked(offset: Int)
  /// Messages nested deeper than `WireReader.depthMax`.
  case tooDeep(offset: Int)
}

extension WireError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .truncated(let offset): "truncated at byte \(offset)"
    case .overlongVarint(let offset): "overlong varint at byte \(offset)"
    case .badFieldNumber(let offset): "field number out of range at byte \(offset)"
    case .badWireType(let type, let offset): "wire type \(type) refused at byte \(offset)"
    case .notUTF8(let offset): "text is not UTF-8 at byte \(offset)"
    case .controlCharacter(let offset): "control character in the text at byte \(offset)"
    case .raggedPacked(let offset): "packed elements overrun their length at byte \(offset)"
    case .tooDeep(let offset):
      "nested deeper than \(WireReader.depthMax) messages at byte \(offset)"
    }
  }
}
