/// The outgoing body of one call: framed messages, given out in whatever pieces HTTP/2 asks for.
struct MessageFeed {
  private var message: [UInt8]?
  private var prefix: (UInt8, UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0, 0)
  /// Bytes of prefix and message given out already.
  private var given = 0

  var isEmpty: Bool { message == nil }

  mutating func begin(_ message: CallMessage) {
    assert(self.message == nil)
    self.message = message.bytes
    prefix = messagePrefix(message.bytes.count, isCompressed: message.isCompressed)
    given = 0
  }

  mutating func drop() { message = nil }

  /// Copies as much as fits; the count of bytes copied.
  mutating func copy(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard let message else { return 0 }
    var copied = 0
    if given < 5 {
      copied = min(5 - given, buffer.count)
      withUnsafeBytes(of: prefix) { prefix in
        for index in 0..<copied { buffer[index] = prefix[given + index] }
      }
      given += copied
    }
    let wanted = min(message.count - (given - 5), buffer.count - copied)
    if given >= 5, wanted > 0 {
      message.withUnsafeBytes {
        buffer.baseAddress!.advanced(by: copied).copyMemory(
          from: $0.baseAddress! + (given - 5), byteCount: wanted)
      }
      given += wanted
      copied += wanted
    }
    if given == 5 + message.count { self.message = nil }
    return copied
  }
}
