/// One HTTP/2 frame, as tests write and read it: nothing about it need be legal.
struct Frame: Sendable, Hashable {
  var type: UInt8
  var flags: UInt8 = 0
  var stream: Int32 = 0
  var payload: [UInt8] = []

  var bytes: [UInt8] {
    let count = payload.count
    return [UInt8(count >> 16), UInt8(count >> 8 & 0xff), UInt8(count & 0xff), type, flags]
      + Self.word(UInt32(bitPattern: stream)) + payload
  }

  static func word(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
  }

  /// Four bytes of the payload as a number.
  func word(at offset: Int) -> UInt32 {
    guard payload.count >= offset + 4 else { return 0 }
    return payload[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }

  var endsStream: Bool { flags & 1 != 0 && (type == 0 || type == 1) }
  var isAck: Bool { flags & 1 != 0 }

  // MARK: Frames by name

  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  static func data(
    _ stream: Int32, _ bytes: [UInt8] = [], ends: Bool = false, padding: Int? = nil
  ) -> Frame {
    Frame(
      type: 0, flags: (ends ? 1 : 0) | (padding == nil ? 0 : 8), stream: stream,
      payload: padded(bytes, padding))
  }

  static func headers(
    _ stream: Int32, _ fields: [(String, String)], ends: Bool = true, endsHeaders: Bool = true,
    padding: Int? = nil
  ) -> Frame {
    Frame(
      type: 1, flags: (ends ? 1 : 0) | (endsHeaders ? 4 : 0) | (padding == nil ? 0 : 8),
      stream: stream, payload: padded(block(fields), padding))
  }

  private static func padded(_ bytes: [UInt8], _ padding: Int?) -> [UInt8] {
    guard let padding else { return bytes }
    return [UInt8(padding)] + bytes + [UInt8](repeating: 0, count: padding)
  }

  static func continuation(_ stream: Int32, _ block: [UInt8], ends: Bool = true) -> Frame {
    Frame(type: 9, flags: ends ? 4 : 0, stream: stream, payload: block)
  }

  static func priority(_ stream: Int32, on other: Int32 = 0) -> Frame {
    Frame(type: 2, stream: stream, payload: word(UInt32(bitPattern: other)) + [15])
  }

  static func reset(_ stream: Int32, _ code: UInt32 = 8) -> Frame {
    Frame(type: 3, stream: stream, payload: word(code))
  }

  static func settings(_ values: [(UInt16, UInt32)] = []) -> Frame {
    let payload = values.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] + word($1) }
    return Frame(type: 4, payload: payload)
  }

  static let settingsAck = Frame(type: 4, flags: 1)

  static func ping(_ text: String = "12345678", ack: Bool = false) -> Frame {
    Frame(type: 6, flags: ack ? 1 : 0, payload: Array(text.utf8))
  }

  static func goAway(last: Int32, _ code: UInt32 = 0, _ text: String = "") -> Frame {
    Frame(type: 7, payload: word(UInt32(bitPattern: last)) + word(code) + Array(text.utf8))
  }

  static func windowUpdate(_ stream: Int32, _ count: UInt32) -> Frame {
    Frame(type: 8, stream: stream, payload: word(count))
  }

  // MARK: Fields

  /// A header block of literals that are never indexed and not compressed (RFC 7541, 6.2.2).
  static func block(_ fields: [(String, String)]) -> [UInt8] {
    fields.flatMap { [0] + text($0.0) + text($0.1) }
  }

  private static func text(_ text: String) -> [UInt8] {
    let bytes = Array(text.utf8)
    guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
    var (length, rest) = ([UInt8(127)], bytes.count - 127)
    while rest >= 128 {
      length.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    return length + [UInt8(rest)] + bytes
  }

  static func request(_ method: String, _ path: String) -> [(String, String)] {
    [(":method", method), (":scheme", "http"), (":path", path), (":authority", "x")]
  }

  static let get = request("GET", "/echo")
  static let post = request("POST", "/echo")

  /// The fields of a gRPC call.
  static func call(_ path: String) -> [(String, String)] {
    request("POST", path) + [("content-type", "application/grpc"), ("te", "trailers")]
  }

  /// A gRPC message that is not compressed.
  static func message(_ bytes: [UInt8]) -> [UInt8] { [0] + word(UInt32(bytes.count)) + bytes }
}

/// Cuts bytes into frames.
struct FrameReader {
  private var bytes: [UInt8] = []

  mutating func take(_ more: UnsafeRawBufferPointer) -> [Frame] {
    bytes.append(contentsOf: more)
    var (frames, start) = ([Frame](), 0)
    while bytes.count - start >= 9 {
      let head = Array(bytes[start..<start + 9])
      let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
      guard bytes.count - start >= 9 + length else { break }
      let stream = head[5..<9].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      frames.append(
        Frame(
          type: head[3], flags: head[4], stream: Int32(stream & 0x7fff_ffff),
          payload: Array(bytes[start + 9..<start + 9 + length])))
      start += 9 + length
    }
    bytes.removeFirst(start)
    return frames
  }
}
