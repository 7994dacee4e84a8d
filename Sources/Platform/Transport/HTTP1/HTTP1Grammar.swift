/// The grammar of RFC 9110 and 9112, as strict as they allow; shared by requests, responses,
/// trailers.
enum HTTP1Grammar {
  /// `tchar` of RFC 9110, 5.6.2: letters, digits and !#$%&'*+-.^_`|~ as bits of two words.
  static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0..<64: 0x03ff_6cfa_0000_0000 as UInt64 >> UInt64(byte) & 1 == 1
    case 64..<128: 0x57ff_ffff_c7ff_fffe as UInt64 >> UInt64(byte - 64) & 1 == 1
    default: false
    }
  }

  /// A header line without its line end. White space before the colon, folded lines, control
  /// characters and bytes that are not UTF-8 are refused: they are how requests are smuggled.
  static func header(_ line: Slice<UnsafeBufferPointer<UInt8>>) throws(HTTP1Refusal) -> HTTPHeader {
    guard let first = line.first, first != 0x20, first != 0x09 else {
      throw .bad("a header line is folded")
    }
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else {
      throw .bad("a header line has no name")
    }
    let name = line[..<colon]
    for byte in name where !isTokenByte(byte) {
      throw .bad("a header name has an invalid character")
    }
    let value = trimmed(line[(colon + 1)...])
    for byte in value where byte < 0x20 && byte != 0x09 || byte == 0x7f {
      throw .bad("a header value has a control character")
    }
    guard let text = text(UnsafeBufferPointer(rebasing: value)) else {
      throw .bad("a header value is not UTF-8")
    }
    return HTTPHeader(lowered(UnsafeBufferPointer(rebasing: name)), text)
  }

  private static func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
    do {
      return String(copying: try UTF8Span(validating: bytes.span))
    } catch {
      return nil
    }
  }

  /// A name in lower case; its bytes are known to be of a token.
  private static func lowered(_ name: UnsafeBufferPointer<UInt8>) -> String {
    String(unsafeUninitializedCapacity: name.count) { target in
      for index in name.indices { target[index] = Transport.lowered(name[index]) }
      return name.count
    }
  }

  /// `Content-Length`: digits and nothing else.
  static func length(_ text: String) -> Int? {
    guard !text.isEmpty, text.utf8.count <= 18,
      text.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") })
    else { return nil }
    return Int(text)
  }

  /// A chunk's size line: hexadecimal digits and nothing else. Extensions mean nothing to us, and
  /// where a line with one ends is what parsers disagree on (CVE-2025-55315).
  static func chunkSize(_ line: Slice<UnsafeBufferPointer<UInt8>>) throws(HTTP1Refusal) -> Int {
    var size = 0
    var at = line.startIndex
    while at < line.endIndex, let digit = hexadecimal(line[at]) {
      // Fifteen digits cannot overflow, and no chunk is that long.
      guard at - line.startIndex < 15 else { throw .bad("a chunk's size is too large") }
      size = size << 4 | Int(digit)
      at += 1
    }
    guard at > line.startIndex else { throw .bad("a chunk has no size") }
    guard at == line.endIndex else {
      throw .bad(
        line[at] == UInt8(ascii: ";")
          ? "chunk extensions are not taken" : "a chunk's size is malformed")
    }
    return size
  }
}
