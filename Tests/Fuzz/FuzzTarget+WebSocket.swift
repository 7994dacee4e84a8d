@testable import Transport

extension FuzzTarget {
  /// Whole or in pieces, a peer's bytes are the same messages, and the same end if they are sound. The
  /// first byte says which side reads.
  static let webSocket = FuzzTarget(
    name: "websocket",
    seeds: [
      [0, 0x81, 0x85, 1, 2, 3, 4, 0x69, 0x67, 0x6f, 0x68, 0x6e],
      [0, 0x01, 0x81, 0, 0, 0, 0, 0x61, 0x89, 0x80, 0, 0, 0, 0, 0x80, 0x81, 0, 0, 0, 0, 0x62],
      [0, 0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8],
      [0, 0x82, 0xfe, 0x00, 0x80, 0, 0, 0, 0] + [UInt8](repeating: 9, count: 128),
      [0, 0x82, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0],
      [1, 0x81, 0x05] + Array("hello".utf8) + [0x8a, 0x00, 0x88, 0x00],
    ], words: ["\u{01}", "\0\0\0\0", "\u{7E}", "\u{7F}"]
  ) { bytes in
    let role: WebSocketRole = bytes.first.map { $0 & 1 == 1 } == true ? .client : .server
    let input = Array(bytes.dropFirst())
    let whole = conversation(input, role, step: max(1, input.count))
    let parts = conversation(input, role, step: 1)
    // Which of two faults is found first depends on how they came, and wslay looks at a close frame's
    // text as far as it comes in one piece.
    let isSame = whole.messages == parts.messages
    let isSameEnd = whole.failed || parts.failed || whole.close == parts.close
    let signature =
      "\(whole.messages.prefix(5).map { $0.prefix(10) }) \(whole.failed) \(whole.close ?? 0)"
    return Verdict(
      signature: signature,
      fault: isSame && isSameEnd ? nil : "at once \(whole); byte by byte \(parts)")
  }

  private static func conversation(
    _ bytes: [UInt8], _ role: WebSocketRole, step: Int
  ) -> (messages: [String], failed: Bool, close: UInt16?) {
    let framing = WebSocketFraming(role, messageMax: 1_000, inboxMax: 3)
    var messages: [String] = []
    func take() {
      while let message = framing.popMessage() {
        messages.append("\(message.kind) \(message.bytes)")
      }
    }
    for start in stride(from: 0, to: bytes.count, by: step) {
      bytes[start..<min(start + step, bytes.count)].withUnsafeBytes { framing.feed($0) }
      repeat {
        framing.process()
        take()
      } while framing.isHeldBack
      _ = framing.takeOutput()
    }
    framing.process()
    take()
    _ = framing.takeOutput()
    return (messages, framing.failure != nil, framing.peerClose?.code)
  }
}
