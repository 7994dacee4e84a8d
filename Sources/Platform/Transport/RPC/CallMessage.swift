internal import Bytes
internal import Calls

/// A message within a call. On its way out its bytes are packed already; on its way in they are
/// unpacked again, and the flag says how they came.
struct CallMessage: Sendable {
  var bytes: [UInt8]
  var isCompressed = false

  init(_ bytes: [UInt8], isCompressed: Bool = false) {
    self.bytes = bytes
    self.isCompressed = isCompressed
  }

  /// A message to send, packed as asked.
  static func packed(_ bytes: [UInt8], _ encoding: MessageEncoding) -> CallMessage {
    guard case .gzip = encoding, !bytes.isEmpty else { return CallMessage(bytes) }
    return CallMessage(Gzip.compress(bytes), isCompressed: true)
  }

  /// As `packed`, where no bytes cross a wire: only the flag travels.
  static func unpacked(_ bytes: [UInt8], _ encoding: MessageEncoding) -> CallMessage {
    CallMessage(bytes, isCompressed: encoding != .identity && !bytes.isEmpty)
  }

  /// What is larger than its sender may send never leaves.
  static func tooLarge(_ count: Int, max: Int) -> RPCError {
    RPCError(
      .resourceExhausted, "a message of \(count) bytes is larger than the \(max) that may be sent")
  }
}
