internal import Bytes
internal import Calls

/// Cuts the body of a gRPC call into messages: one byte (compressed or not), four bytes of length
/// in network order, the message (gRPC over HTTP/2, "Length-Prefixed-Message").
struct MessageDeframer {
  let messageMax: Int
  private var prefix: (UInt8, UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0, 0)
  private var prefixCount = 0
  private var message: [UInt8] = []
  private var length = 0

  var acceptsGzip: Bool

  init(messageMax: Int, acceptsGzip: Bool = false) {
    self.messageMax = messageMax
    self.acceptsGzip = acceptsGzip
  }

  /// A message has begun and is not complete.
  var isInside: Bool { prefixCount > 0 }

  /// Calls `deliver` with each message that these bytes complete.
  mutating func take(
    _ bytes: UnsafeBufferPointer<UInt8>, _ deliver: (CallMessage) -> Void
  ) throws(RPCError) {
    if prefixCount == 0, let message = Self.whole(bytes, max: messageMax) {
      deliver(CallMessage(message))
      return
    }
    var rest = UnsafeRawBufferPointer(bytes)
    while !rest.isEmpty {
      if prefixCount < 5 {
        let wanted = min(5 - prefixCount, rest.count)
        withUnsafeMutableBytes(of: &prefix) { into in
          for index in 0..<wanted { into[prefixCount + index] = rest[index] }
        }
        prefixCount += wanted
        rest = UnsafeRawBufferPointer(rebasing: rest[wanted...])
        guard prefixCount == 5 else { return }
        try begin()
      }
      let wanted = min(length - message.count, rest.count)
      if wanted > 0 {
        message.append(contentsOf: UnsafeRawBufferPointer(rebasing: rest[..<wanted]))
        rest = UnsafeRawBufferPointer(rebasing: rest[wanted...])
      }
      if message.count == length {
        let isCompressed = prefix.0 == 1
        let complete = isCompressed ? try decompressed(message) : message
        message = []
        prefixCount = 0
        deliver(CallMessage(complete, isCompressed: isCompressed))
      }
    }
  }

  /// The message, when these bytes are exactly one that is not compressed, as they mostly are.
  static func whole(_ bytes: UnsafeBufferPointer<UInt8>, max messageMax: Int) -> [UInt8]? {
    guard bytes.count >= 5, bytes[0] == 0 else { return nil }
    let length =
      Int(bytes[1]) << 24 | Int(bytes[2]) << 16 | Int(bytes[3]) << 8 | Int(bytes[4])
    guard length == bytes.count - 5, length <= messageMax else { return nil }
    return [UInt8](UnsafeBufferPointer(rebasing: bytes[5...]))
  }

  private mutating func begin() throws(RPCError) {
    length = Int(prefix.1) << 24 | Int(prefix.2) << 16 | Int(prefix.3) << 8 | Int(prefix.4)
    guard length <= messageMax else {
      throw RPCError(
        .resourceExhausted, "a message of \(length) bytes is larger than the \(messageMax) allowed")
    }
    guard prefix.0 < 2 else {
      throw RPCError(.internalError, "a message has the flags \(prefix.0), which mean nothing")
    }
    guard prefix.0 == 0 || acceptsGzip else {
      throw RPCError(.internalError, "a message is flagged as compressed without an encoding")
    }
    // Grows as bytes come, so that a length alone reserves little.
    message.reserveCapacity(min(length, 64 * 1024))
  }

  private func decompressed(_ message: [UInt8]) throws(RPCError) -> [UInt8] {
    do throws(GzipError) {
      return try Gzip.decompress(message, outputMax: messageMax)
    } catch .tooLarge {
      throw RPCError(
        .resourceExhausted, "a message inflates to more than the \(messageMax) bytes allowed")
    } catch {
      throw RPCError(.internalError, "a compressed message is malformed")
    }
  }
}

/// The five bytes before a message of so many bytes.
func messagePrefix(
  _ count: Int, isCompressed: Bool
) -> (UInt8, UInt8, UInt8, UInt8, UInt8) {
  (
    isCompressed ? 1 : 0, UInt8(truncatingIfNeeded: count >> 24),
    UInt8(truncatingIfNeeded: count >> 16),
    UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)
  )
}
