internal import Bytes

/// Makes and reads W3C trace identities. One per connection: its generator is no secret and is
/// seeded once, because the system's randomness costs a system call a number.
struct TraceIdentity {
  private var state: (UInt64, UInt64)

  init() {
    var system = SystemRandomNumberGenerator()
    state = (system.next(), system.next() | 1)
  }

  /// xoroshiro128+.
  private mutating func next() -> UInt64 {
    let sum = state.0 &+ state.1
    let mixed = state.0 ^ state.1
    state.0 = (state.0 << 24 | state.0 >> 40) ^ mixed ^ (mixed << 16)
    state.1 = mixed << 37 | mixed >> 27
    return sum
  }

  mutating func newTraceID() -> String { Self.text(next()) + Self.text(next() | 1) }
  mutating func newSpanID() -> String { Self.text(next() | 1) }

  private static func text(_ value: UInt64) -> String {
    String(unsafeUninitializedCapacity: 16) { digits in
      for index in 0..<16 {
        let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * index)) & 15
        digits[index] = digit < 10 ? digit + 0x30 : digit + 0x57
      }
      return 16
    }
  }

  /// The trace id of `00-<32 hex>-<16 hex>-<2 hex>`; nil when the header is malformed or all zero.
  static func traceID(of header: String) -> String? {
    let bytes = Array(header.utf8)
    guard bytes.count == 55, bytes[2] == 0x2d, bytes[35] == 0x2d, bytes[52] == 0x2d else {
      return nil
    }
    let id = bytes[3..<35]
    guard id.allSatisfy({ ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x66) }),
      id.contains(where: { $0 != 0x30 })
    else { return nil }
    return String(decoding: id, as: UTF8.self)
  }
}
