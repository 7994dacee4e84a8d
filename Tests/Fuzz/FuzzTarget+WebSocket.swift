@testable import Transport

extension FuzzTarget {
  /// Whole or in pieces, a peer's bytes are the same messages and the same end. The first byte says
  /// which side reads.
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
    return Verdict(
      signature: String(whole.filter { !$0.isNumber || $0 == "1" }.prefix(60)),
      fault: whole == parts ? nil : "at once \(whole); byte by byte \(parts)")
  }

  private static func conversation(_ bytes: [UInt8], _ role: WebSocketRole, step: Int) -> String {
    let framing = WebSocketFraming(role, messageMax: 1_000, inboxMax: 3)
    var messages: [WebSocketMessage] = []
    var answered = 0
    for start in stride(from: 0, to: bytes.count, by: step) {
      bytes[start..<min(start + step, bytes.count)].withUnsafeBytes { framing.feed($0) }
      repeat {
        framing.process()
        while let message = framing.popMessage() { messages.append(message) }
      } while framing.isHeldBack
      answered += framing.takeOutput().count
    }
    framing.process()
    while let message = framing.popMessage() { messages.append(message) }
    // Of two faults in one frame, which is found first depends on how it came.
    let end = "\(framing.failure == nil) \(framing.peerClose?.code ?? 0)"
    return "\(messages.map { "\($0.kind) \($0.bytes.count)" }) \(end) \(answered > 0)"
  }
}
