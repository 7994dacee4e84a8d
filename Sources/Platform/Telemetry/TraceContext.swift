private import Bytes

/// A place in a distributed trace, as W3C Trace Context carries it in the `traceparent` header.
package struct TraceContext: Sendable, Hashable {
  package let traceHigh: UInt64
  package let traceLow: UInt64
  package let span: UInt64
  package let isSampled: Bool

  package init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, isSampled: Bool) {
    self.traceHigh = traceHigh
    self.traceLow = traceLow
    self.span = span
    self.isSampled = isSampled
  }

  /// The root of a new trace; identifiers of zero are invalid and never made.
  package static func root(
    using random: inout some RandomNumberGenerator, isSampled: Bool
  ) -> TraceContext {
    TraceContext(
      traceHigh: random.next(), traceLow: random.next(upperBound: .max) + 1,
      span: random.next(upperBound: .max) + 1, isSampled: isSampled)
  }

  /// The same trace, one call deeper.
  package func child(using random: inout some RandomNumberGenerator) -> TraceContext {
    TraceContext(
      traceHigh: traceHigh, traceLow: traceLow, span: random.next(upperBound: .max) + 1,
      isSampled: isSampled)
  }

  /// `00-<32 hex>-<16 hex>-<2 hex>`; later versions may carry more after another dash. Nil for
  /// upper-case digits, zero identifiers and version ff, as section 3.2 of the standard asks.
  package init?(traceparent: String) {
    let text = Array(traceparent.utf8)
    guard text.count >= 55, text[2] == Self.dash, text[35] == Self.dash, text[52] == Self.dash,
      let version = Self.number(text[0..<2]), version != 0xff,
      version == 0 ? text.count == 55 : text.count == 55 || text[55] == Self.dash,
      let high = Self.number(text[3..<19]), let low = Self.number(text[19..<35]), high | low != 0,
      let span = Self.number(text[36..<52]), span != 0, let flags = Self.number(text[53..<55])
    else { return nil }
    self.init(traceHigh: high, traceLow: low, span: span, isSampled: flags & 1 == 1)
  }

  package var traceparent: String { "00-\(traceID)-\(spanID)-\(isSampled ? "01" : "00")" }
  /// 32 lower-case digits.
  package var traceID: String { Self.digits(traceHigh) + Self.digits(traceLow) }
  /// 16 lower-case digits.
  package var spanID: String { Self.digits(span) }

  private static let dash = UInt8(ascii: "-")

  private static func digits(_ value: UInt64) -> String {
    withUnsafeBytes(of: value.bigEndian) { Hexadecimal.encode($0) }
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for digit in digits {
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit - 48)
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit - 87)
      default: return nil
      }
    }
    return value
  }
}
