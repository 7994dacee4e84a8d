internal import Bytes
internal import Calls

/// Call metadata to and from header fields.
enum MetadataCodec {
  /// Header names that belong to the protocol, not to the application. What a server says about
  /// trying again is its application's to say.
  static func isReserved(_ name: String) -> Bool {
    if name.utf8.first == UInt8(ascii: ":") { return true }
    if name.hasPrefix("grpc-") { return name != "grpc-retry-pushback-ms" }
    switch name {
    case "te", "content-type", "content-length", "host", "connection", "transfer-encoding",
      "user-agent":
      return true
    default: return false
    }
  }

  static func add(_ metadata: Metadata, to block: inout HeaderBlock) {
    for entry in metadata.entries where isSendable(entry.key) {
      switch entry.value {
      case .text(let text): if let text = sendable(text) { block.add(entry.key, text) }
      case .bytes(let bytes): block.add(entry.key, unpadded(bytes))
      }
    }
  }

  /// An application's key, of what gRPC lets a key consist of; another would break the whole call at
  /// its receiver.
  static func isSendable(_ key: String) -> Bool {
    !key.isEmpty && !isReserved(key)
      && key.utf8.allSatisfy { byte in
        (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5f
          || byte == 0x2d || byte == 0x2e
      }
  }

  /// A value as it may be sent: without surrounding blanks, which no HTTP value has. Nil for what
  /// gRPC cannot carry: other than printable ASCII belongs into `-bin` keys.
  static func sendable(_ text: String) -> String? {
    guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 <= 0x7e }) else { return nil }
    guard text.utf8.first == 0x20 || text.utf8.last == 0x20 else { return text }
    return String(decoding: trimmed(text.utf8), as: UTF8.self)
  }

  static func unpadded(_ bytes: [UInt8]) -> String {
    var text = Base64.standard.encode(bytes)
    while text.last == "=" { text.removeLast() }
    return text
  }

  /// A field as metadata; `-bin` values may be padded or not, and several may be joined by commas.
  static func add(_ name: String, _ value: String, to metadata: inout Metadata) {
    guard name.hasSuffix("-bin") else {
      metadata.add(name, value)
      return
    }
    for part in value.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      if let bytes = decode(Array(trimmed(part))) { metadata.add(name, bytes: bytes) }
    }
  }

  static func decode(_ text: [UInt8]) -> [UInt8]? {
    var text = text
    while text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
    do throws(Base64Error) {
      return try Base64.standard.decode(text)
    } catch {
      return nil
    }
  }
}
