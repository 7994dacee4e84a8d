/// Fields of a message found in its bytes without reading the message. What is put behind them completes
/// them: a later field wins, and messages within messages are merged.
extension WireReader {
  /// The last field of this number that is a message, text or bytes; nil when there is none. It points
  /// into `message`.
  package static func field(
    _ number: UInt32, in message: UnsafeRawBufferPointer
  ) throws(WireError) -> UnsafeRawBufferPointer? {
    var reader = WireReader(message)
    var found: UnsafeRawBufferPointer?
    while true {
      let tag = try reader.tag()
      if tag == 0 { return found }
      if tag == number << 3 | 2 { found = try reader.counted() } else { try reader.skip(tag) }
    }
  }
}
