internal import Bytes

/// The opening handshake of RFC 6455, both sides.
enum WebSocketHandshake {
  static let upgradeRequired = [
    HTTPHeader("upgrade", "websocket"), HTTPHeader("sec-websocket-version", "13"),
  ]

  /// The client's key, when its request is a handshake.
  static func key(
    method: String, version: HTTPVersion, headers: [HTTPHeader]
  ) throws(HTTP1Refusal) -> String {
    guard version == .http11, headers.list("upgrade", contains: "websocket"),
      headers.list("connection", contains: "upgrade")
    else { throw HTTP1Refusal(426, "this is a WebSocket") }
    guard method == "GET" else { throw .bad("a WebSocket begins with GET") }
    guard headers.first("sec-websocket-version") == "13" else {
      throw HTTP1Refusal(426, "only WebSocket version 13 is spoken here")
    }
    let keys = headers.filter { $0.name == "sec-websocket-key" }
    guard keys.count == 1, keys[0].value.utf8.count == 24, keys[0].value.hasSuffix("==") else {
      throw .bad("sec-websocket-key is not 16 bytes in base64")
    }
    return keys[0].value
  }

  /// The server's 101 response.
  static func acceptance(of key: String, _ headers: [HTTPHeader]) -> [UInt8] {
    var bytes = Array(
      """
      HTTP/1.1 101 Switching Protocols\r
      upgrade: websocket\r
      connection: Upgrade\r
      sec-websocket-accept: \(accept(key))\r

      """.utf8)
    for header in headers { HTTPResponse.append(header, to: &bytes) }
    return bytes + [0x0d, 0x0a]
  }

  /// The client's request.
  static func request(
    host: String, target: String, key: String, headers: [HTTPHeader]
  ) -> [UInt8] {
    var bytes = Array(
      """
      GET \(target) HTTP/1.1\r
      host: \(host)\r
      upgrade: websocket\r
      connection: Upgrade\r
      sec-websocket-version: 13\r
      sec-websocket-key: \(key)\r

      """.utf8)
    for header in headers { HTTPResponse.append(header, to: &bytes) }
    return bytes + [0x0d, 0x0a]
  }

  static func newKey() -> String {
    Base64.standard.encode((0..<16).map { _ in UInt8.random(in: .min ... .max) })
  }

  /// The answer that proves that a server speaks WebSocket (RFC 6455, 4.2.2).
  static func accept(_ key: String) -> String {
    Base64.standard.encode(sha1(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
  }

  /// SHA-1 (FIPS 180-4), which the handshake prescribes as a checksum; nothing is secured by it.
  static func sha1(_ message: [UInt8]) -> [UInt8] {
    var state: (UInt32, UInt32, UInt32, UInt32, UInt32) =
      (0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0)
    var padded = message + [0x80]
    while padded.count % 64 != 56 { padded.append(0) }
    let bits = UInt64(message.count) * 8
    padded += (0..<8).reversed().map { UInt8(truncatingIfNeeded: bits >> (UInt64($0) * 8)) }
    for block in stride(from: 0, to: padded.count, by: 64) {
      var words = (0..<16).map { word in
        (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(padded[block + word * 4 + $1]) }
      }
      for t in 16..<80 {
        words.append(rotated(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], by: 1))
      }
      var (a, b, c, d, e) = state
      for t in 0..<80 {
        let (mixed, constant): (UInt32, UInt32) =
          switch t {
          case 0..<20: ((b & c) | (~b & d), 0x5a82_7999)
          case 20..<40: (b ^ c ^ d, 0x6ed9_eba1)
          case 40..<60: ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc)
          default: (b ^ c ^ d, 0xca62_c1d6)
          }
        let next = rotated(a, by: 5) &+ mixed &+ e &+ constant &+ words[t]
        (a, b, c, d, e) = (next, a, rotated(b, by: 30), c, d)
      }
      state = (
        state.0 &+ a, state.1 &+ b, state.2 &+ c, state.3 &+ d, state.4 &+ e
      )
    }
    return [state.0, state.1, state.2, state.3, state.4].flatMap { word in
      [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
    }
  }

  private static func rotated(_ word: UInt32, by count: UInt32) -> UInt32 {
    word << count | word >> (32 - count)
  }
}
