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
  package init?(parsing text: some StringProtocol) {
    var raw: UInt64 = 0
    var count = 0
    for byte in text.utf8 {
      guard count < Self.textLength, let digit = Self.alphabet.firstIndex(of: byte) else {
        return nil
      }
      if count == 0, digit > 15 { return nil }
      raw = raw << 5 | UInt64(digit)
      count += 1
    }
    guard count == Self.textLength else { return nil }
    self.raw = raw
  }

  package static func < (left: OrderID, right: OrderID) -> Bool { left.raw < right.raw }

  private static let textLength = 13
  private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
}

extension OrderID: CustomStringConvertible {
  package var description: String {
    let digits = (0..<Self.textLength).map { place in
      Self.alphabet[Int(raw >> UInt64(5 * (Self.textLength - 1 - place)) & 31)]
    }
    return String(decoding: digits, as: UTF8.self)
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
  private static let startMilliseconds: Int64 = 1_577_836_800_000
  private static let countBits: UInt64 = 22
}
