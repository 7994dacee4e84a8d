/// A whole message, fragments joined.
package struct WebSocketMessage: Sendable, Hashable {
  package enum Kind: Sendable, Hashable {
    /// Valid UTF-8.
    case text
    case binary
  }

  package let kind: Kind
  package let bytes: [UInt8]

  package init(_ kind: Kind, _ bytes: [UInt8]) {
    self.kind = kind
    self.bytes = bytes
  }

  package var text: String { String(decoding: bytes, as: UTF8.self) }
}
