extension HTTPResponse {
  /// The response as HTTP/1.1 bytes. Length and connection headers are the transport's own: those
  /// given by a responder are dropped, and characters that would end a line become spaces.
  func http1Bytes(forHead isHead: Bool, version: HTTPVersion, closes: Bool) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(256 + body.count)
    bytes += "HTTP/1.1 \(status) \(Self.reason(status))\r\n".utf8
    for header in headers {
      switch header.name {
      case "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade": continue
      default: Self.append(header, to: &bytes)
      }
    }
    let hasBody = status >= 200 && status != 204 && status != 304
    if hasBody { bytes += "content-length: \(body.count)\r\n".utf8 }
    if closes {
      bytes += "connection: close\r\n".utf8
    } else if version == .http10 {
      bytes += "connection: keep-alive\r\n".utf8
    }
    bytes += [0x0d, 0x0a]
    if hasBody, !isHead { bytes += body }
    return bytes
  }

  /// One header line, for requests and responses alike.
  static func append(_ header: HTTPHeader, to bytes: inout [UInt8]) {
    for byte in header.name.utf8 where HTTP1Grammar.isTokenByte(byte) { bytes.append(byte) }
    bytes += [UInt8(ascii: ":"), 0x20]
    for byte in header.value.utf8 {
      bytes.append(byte < 0x20 && byte != 0x09 || byte == 0x7f ? 0x20 : byte)
    }
    bytes += [0x0d, 0x0a]
  }
}
