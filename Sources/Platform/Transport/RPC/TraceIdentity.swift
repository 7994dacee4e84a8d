internal import Calls
internal import Loop

/// Makes and reads W3C trace identities. One per connection: its generator is no secret and is
/// seeded once, because the system's randomness costs a system call a number.
struct TraceIdentity {
  private var state: (UInt64, UInt64)

  /// With a loop, its chance: a simulation's traces are the seed's.
  init(_ loop: EventLoop? = nil) {
    var system = SystemRandomNumberGenerator()
    state = (
      loop?.randomNumber() ?? system.next(), (loop?.randomNumber() ?? system.next()) | 1
    )
  }

  /// xoroshiro128+.
  private mutating func next() -> UInt64 {
    let sum = state.0 &+ state.1
    let mixed = state.0 ^ state.1
    state.0 = (state.0 << 24 | state.0 >> 40) ^ mixed ^ (mixed << 16)
    state.1 = mixed << 37 | mixed >> 27
    return sum
  }

  /// A hop of the trace that a `traceparent` header names, or of a new one.
  mutating func hop(continuing header: UnsafeBufferPointer<UInt8>) -> TraceHop {
    let span = next() | 1
    if let (high, low, isSampled) = Self.trace(of: header) {
      return TraceHop(
        high: high, low: low, span: span, isSampled: isSampled, isContinued: true)
    }
    return TraceHop(high: next(), low: next() | 1, span: span)
  }

  mutating func hop(continuing header: String) -> TraceHop {
    var header = header
    return header.withUTF8 { hop(continuing: $0) }
  }

  /// Trace id and sampled flag of `00-<32 hex>-<16 hex>-<2 hex>`; later versions may carry more behind
  /// another dash. Nil when it is malformed, version ff, or one of its ids is zero (W3C Trace Context,
  /// section 3.2).
  static func trace(
    of header: UnsafeBufferPointer<UInt8>
  ) -> (high: UInt64, low: UInt64, isSampled: Bool)? {
    guard header.count >= 55, header[2] == 0x2d, header[35] == 0x2d, header[52] == 0x2d,
      let version = number(header, from: 0, digits: 2), version != 0xff,
      header.count == 55 || version > 0 && header[55] == 0x2d,
      let high = number(header, from: 3, digits: 16),
      let low = number(header, from: 19, digits: 16),
      high | low != 0, let parent = number(header, from: 36, digits: 16), parent != 0,
      let flags = number(header, from: 53, digits: 2)
    else { return nil }
    return (high, low, flags & 1 == 1)
  }

  /// Of lower case hexadecimal digits.
  private static func number(
    _ text: UnsafeBufferPointer<UInt8>, from start: Int, digits: Int
  ) -> UInt64? {
    var number: UInt64 = 0
    for index in start..<start + digits {
      switch text[index] {
      case 0x30...0x39: number = number << 4 | UInt64(text[index] - 0x30)
      case 0x61...0x66: number = number << 4 | UInt64(text[index] - 0x57)
      default: return nil
      }
    }
    return number
  }
}
