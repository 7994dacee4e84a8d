/// Ordered call metadata. Keys are lower case; a key that ends in `-bin` carries bytes.
package struct Metadata: Sendable, Hashable {
  package enum Value: Sendable, Hashable {
    case text(String)
    case bytes([UInt8])
  }

  package struct Entry: Sendable, Hashable {
    package let key: String
    package let value: Value
  }

  package private(set) var entries: [Entry] = []

  package init() {}

  package var isEmpty: Bool { entries.isEmpty }

  package mutating func add(_ key: String, _ text: String) {
    entries.append(Entry(key: key, value: .text(text)))
  }

  package mutating func add(_ key: String, bytes: [UInt8]) {
    precondition(key.hasSuffix("-bin"), "binary metadata keys end in -bin, not \(key)")
    entries.append(Entry(key: key, value: .bytes(bytes)))
  }

  /// The first text value of a key.
  package func text(_ key: String) -> String? {
    for entry in entries where entry.key == key {
      if case .text(let text) = entry.value { return text }
    }
    return nil
  }

  /// The first binary value of a key.
  package func bytes(_ key: String) -> [UInt8]? {
    for entry in entries where entry.key == key {
      if case .bytes(let bytes) = entry.value { return bytes }
    }
    return nil
  }
}
