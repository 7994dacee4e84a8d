/// One header field; the name is lower case, the value has no surrounding white space.
package struct HTTPHeader: Sendable, Hashable {
  package let name: String
  package let value: String

  /// Precondition: `name` is in lower case, as every header is kept here.
  package init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

extension Sequence where Element == HTTPHeader {
  /// The value of the first header of this (lower case) name.
  package func first(_ name: String) -> String? {
    for header in self where header.name == name { return header.value }
    return nil
  }

  /// True when a comma-separated list header (`connection`, `upgrade`) holds `token`, in any case.
  package func list(_ name: String, contains token: String) -> Bool {
    for header in self where header.name == name {
      for part in header.value.utf8.split(separator: UInt8(ascii: ",")) {
        if equalsIgnoringCase(trimmed(part), token.utf8) { return true }
      }
    }
    return false
  }
}

/// Without surrounding spaces and tabs, the only white space a header value may be padded with.
func trimmed<Bytes: BidirectionalCollection<UInt8>>(_ bytes: Bytes) -> Bytes.SubSequence {
  func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
  guard let first = bytes.firstIndex(where: { !isBlank($0) }),
    let last = bytes.lastIndex(where: { !isBlank($0) })
  else { return bytes[bytes.startIndex..<bytes.startIndex] }
  return bytes[first...last]
}

/// ASCII comparison without regard to case.
func equalsIgnoringCase(_ left: some Sequence<UInt8>, _ right: some Sequence<UInt8>) -> Bool {
  left.elementsEqual(right) { lowered($0) == lowered($1) }
}

func lowered(_ byte: UInt8) -> UInt8 {
  byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
}
