/// HTTP/2 as bytes, for seeds and for looking at what came.
enum Frames {
  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
  static let settings = frame(4, 0, 0, [])
  static let settingsTaken = frame(4, 1, 0, [])

  static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8]
  {
    let count = payload.count
    let head = [UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255), type, flags]
    return head + (0..<4).map { UInt8(truncatingIfNeeded: stream >> (24 - 8 * $0)) } + payload
  }

  /// Fields as literals without an index (RFC 7541, section 6.2.2).
  static func fields(_ fields: [(String, String)]) -> [UInt8] {
    var bytes: [UInt8] = []
    for (name, value) in fields {
      bytes += [0, UInt8(name.utf8.count)]
      bytes += name.utf8
      bytes.append(UInt8(value.utf8.count))
      bytes += value.utf8
    }
    return bytes
  }

  static func call(_ path: String, _ more: [(String, String)] = []) -> [UInt8] {
    fields(
      [
        (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"),
        ("content-type", "application/grpc"), ("te", "trailers"),
      ] + more)
  }

  /// Whether one of the frames, of which the last may be cut, is HEADERS.
  static func hasHeaders(_ bytes: ArraySlice<UInt8>) -> Bool {
    var at = bytes.startIndex
    while bytes.endIndex - at >= 9 {
      if bytes[at + 3] == 1 { return true }
      at += 9 + (Int(bytes[at]) << 16 | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2]))
    }
    return false
  }

  /// The types of whole frames, with the code of those that have one; nil when they are not whole.
  static func kinds(of bytes: [UInt8]) -> [String]? {
    var kinds: [String] = []
    var at = 0
    while at < bytes.count {
      guard bytes.count - at >= 9 else { return nil }
      let count = Int(bytes[at]) << 16 | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2])
      let type = bytes[at + 3]
      guard bytes.count - at - 9 >= count, type <= 9 else { return nil }
      let payload = bytes[(at + 9)..<(at + 9 + count)]
      switch type {
      case 3: kinds.append("reset \(payload.last ?? 0)")
      case 7: kinds.append("goaway \(payload.dropFirst(7).first ?? 0)")
      default: kinds.append("\(type)")
      }
      at += 9 + count
    }
    return kinds
  }
}
