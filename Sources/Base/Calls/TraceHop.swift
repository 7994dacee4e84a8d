/// One hop of a W3C trace as numbers; most calls are never asked for the texts.
package struct TraceHop: Sendable, Hashable {
  private let high: UInt64
  private let low: UInt64
  private let span: UInt64
  /// Whether whoever began the trace wants it recorded.
  package let isSampled: Bool
  /// The trace is the caller's; otherwise it begins here.
  package let isContinued: Bool

  package init(
    high: UInt64, low: UInt64, span: UInt64, isSampled: Bool = true, isContinued: Bool = false
  ) {
    self.high = high
    self.low = low
    self.span = span
    self.isSampled = isSampled
    self.isContinued = isContinued
  }

  /// 32 hexadecimal digits.
  package var traceID: String { Self.digits(high) + Self.digits(low) }
  /// 16 hexadecimal digits.
  package var spanID: String { Self.digits(span) }

  /// The `traceparent` of what this hop asks others for.
  package var traceParent: String { "00-\(traceID)-\(spanID)-\(isSampled ? "01" : "00")" }

  private static func digits(_ value: UInt64) -> String {
    String(unsafeUninitializedCapacity: 16) { digits in
      for index in 0..<16 {
        let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * index)) & 15
        digits[index] = digit < 10 ? digit + 0x30 : digit + 0x57
      }
      return 16
    }
  }
}
