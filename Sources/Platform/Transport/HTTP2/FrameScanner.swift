/// The head of one HTTP/2 frame (RFC 9113, section 4.1).
struct FrameHead: Sendable, Hashable {
  var length: Int
  var type: UInt8
  var flags: UInt8
  var stream: Int32

  /// The frame types of RFC 9113, section 6.
  enum Kind {
    static let data: UInt8 = 0x0
    static let headers: UInt8 = 0x1
    static let priority: UInt8 = 0x2
    static let reset: UInt8 = 0x3
    static let settings: UInt8 = 0x4
    static let pushPromise: UInt8 = 0x5
    static let ping: UInt8 = 0x6
    static let goAway: UInt8 = 0x7
    static let windowUpdate: UInt8 = 0x8
    static let continuation: UInt8 = 0x9
  }

  enum Flag {
    /// Of PING and SETTINGS.
    static let ack: UInt8 = 0x1
    static let endStream: UInt8 = 0x1
    static let endHeaders: UInt8 = 0x4
    static let padded: UInt8 = 0x8
    static let priority: UInt8 = 0x20
  }

  func has(_ flag: UInt8) -> Bool { flags & flag != 0 }

  static let size = 9
}

/// Finds the heads of frames in a stream of bytes, however it is cut, and skips their payloads.
struct FrameScanner {
  /// Bytes of a payload, or of the client's preface, that are still to come.
  private var skipped: Int
  /// A head that was cut: its first eight bytes at most.
  private var collected: UInt64 = 0
  private var collectedCount = 0

  init(skipping preface: Int = 0) { skipped = preface }

  /// Some of the newest frame's payload is still to come.
  var isInside: Bool { skipped > 0 }

  /// The next head that ends in `bytes`; `offset` is then behind it, and at the end without one.
  @inline(__always)
  mutating func next(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) -> FrameHead? {
    if skipped > 0 {
      let count = min(skipped, bytes.count - offset)
      skipped -= count
      offset += count
      if skipped > 0 { return nil }
    }
    if collectedCount == 0, bytes.count - offset >= FrameHead.size {
      let first = UInt64(
        bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      let last = bytes[offset + 8]
      offset += FrameHead.size
      return head(first, last)
    }
    return collect(bytes, &offset)
  }

  private mutating func collect(
    _ bytes: UnsafeRawBufferPointer, _ offset: inout Int
  ) -> FrameHead? {
    while offset < bytes.count {
      let byte = bytes[offset]
      offset += 1
      if collectedCount == 8 {
        collectedCount = 0
        return head(collected, byte)
      }
      collected = collected << 8 | UInt64(byte)
      collectedCount += 1
    }
    return nil
  }

  @inline(__always)
  private mutating func head(_ first: UInt64, _ last: UInt8) -> FrameHead {
    let length = Int(first >> 40)
    skipped = length
    let stream = UInt32(truncatingIfNeeded: first << 8) | UInt32(last)
    return FrameHead(
      length: length, type: UInt8(truncatingIfNeeded: first >> 32),
      flags: UInt8(truncatingIfNeeded: first >> 24), stream: Int32(stream & 0x7fff_ffff))
  }
}
