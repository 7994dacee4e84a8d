package import Chrono

/// Our name of an order: a number that grows with time, unique within the OMS that minted it.
///
/// The upper 42 bits are milliseconds since 2020-01-01T00:00:00Z (good until 2159), the lower 22 a
/// count within the millisecond. As text it is 13 characters of Crockford's base 32, so a child id
/// `<order>-<sequence>` stays far below the 36 characters that venues take.
package struct OrderID: Sendable, Hashable, Comparable {
  package let raw: UInt64

  package init(_ raw: UInt64) { self.raw = raw }

  /// Exactly 13 characters as `description` writes them; anything else is nil.
  package init?(parsing text: String) { self.init(digits: text.utf8.span) }

  /// The same of the bytes of a text.
  package init?(digits: Span<UInt8>) {
    guard digits.count == Self.textLength else { return nil }
    var raw: UInt64 = 0
    for index in digits.indices {
      guard let digit = Self.digit(digits[index]) else { return nil }
      // Of 13 digits of five bits the first has four.
      if index == 0, digit > 15 { return nil }
      raw = raw << 5 | digit
    }
    self.raw = raw
  }

  /// When it was made, to the millisecond.
  package var time: Instant {
    Instant(
      nanoseconds: (Int64(raw >> OrderIDMint.countBits) + OrderIDMint.startMilliseconds) * 1_000_000
    )
  }

  package static func < (left: OrderID, right: OrderID) -> Bool { left.raw < right.raw }

  package static let textLength = 13

  /// Crockford's alphabet has no I, L, O and U.
  private static func digit(_ byte: UInt8) -> UInt64? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte) - 48
    case UInt8(ascii: "A")...UInt8(ascii: "H"): UInt64(byte) - 55
    case UInt8(ascii: "J"), UInt8(ascii: "K"): UInt64(byte) - 56
    case UInt8(ascii: "M"), UInt8(ascii: "N"): UInt64(byte) - 57
    case UInt8(ascii: "P")...UInt8(ascii: "T"): UInt64(byte) - 58
    case UInt8(ascii: "V")...UInt8(ascii: "Z"): UInt64(byte) - 59
    default: nil
    }
  }

  private static func byte(_ digit: UInt64) -> UInt8 {
    switch digit {
    case ...9: UInt8(digit + 48)
    case ...17: UInt8(digit + 55)
    case ...19: UInt8(digit + 56)
    case ...21: UInt8(digit + 57)
    case ...26: UInt8(digit + 58)
    default: UInt8(digit + 59)
    }
  }
}

extension OrderID: CustomStringConvertible {
  package var description: String {
    String(unsafeUninitializedCapacity: Self.textLength) { bytes in
      for place in 0..<Self.textLength {
        bytes[place] = Self.byte(raw >> UInt64(5 * (Self.textLength - 1 - place)) & 31)
      }
      return Self.textLength
    }
  }
}

/// Gives out order ids that only grow, also when the wall clock steps back or the process restarts
/// (`after` is the last id found in the journal).
package struct OrderIDMint: Sendable {
  private var last: OrderID

  package init(after last: OrderID = OrderID(0)) { self.last = last }

  package mutating func next(now: Instant) -> OrderID {
    let elapsed = max(0, now.milliseconds - Self.startMilliseconds)
    let floor = UInt64(elapsed) << Self.countBits
    last = OrderID(max(floor, last.raw + 1))
    return last
  }

  /// 2020-01-01T00:00:00Z.
  fileprivate static let startMilliseconds: Int64 = 1_577_836_800_000
  fileprivate static let countBits: UInt64 = 22
}
