/// The `grpc-timeout` header: at most eight digits and a unit.
enum CallTimeout {
  static func parse(_ text: some Collection<UInt8>) -> Duration? {
    guard (2...9).contains(text.count) else { return nil }
    var value: Int64 = 0
    var unit: UInt8 = 0
    for (index, byte) in text.enumerated() {
      if index == text.count - 1 {
        unit = byte
      } else {
        guard byte >= 0x30, byte <= 0x39 else { return nil }
        value = value * 10 + Int64(byte - 0x30)
      }
    }
    switch unit {
    case UInt8(ascii: "H"): return .seconds(value * 3600)
    case UInt8(ascii: "M"): return .seconds(value * 60)
    case UInt8(ascii: "S"): return .seconds(value)
    case UInt8(ascii: "m"): return .milliseconds(value)
    case UInt8(ascii: "u"): return .microseconds(value)
    case UInt8(ascii: "n"): return .nanoseconds(value)
    default: return nil
    }
  }

  /// In the finest unit that fits eight digits, rounded up so that the server never gives up first.
  static func text(_ nanoseconds: Int64) -> String {
    let nanoseconds = max(1, nanoseconds)
    let units: [(Int64, String)] = [
      (1, "n"), (1_000, "u"), (1_000_000, "m"), (1_000_000_000, "S"), (60_000_000_000, "M"),
    ]
    for (size, unit) in units {
      let count = nanoseconds / size + (nanoseconds % size == 0 ? 0 : 1)
      if count <= 99_999_999 { return "\(count)\(unit)" }
    }
    return "99999999H"
  }
}
