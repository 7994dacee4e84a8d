/// Durations as people write them: a whole number and its unit, `250ms`.
package enum DurationText {
  private static let units: [(suffix: String, nanoseconds: Int64)] = [
    ("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
  ]

  package static func parse(_ text: String) -> Duration? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let count = Int64(digits) else { return nil }
    let suffix = text.dropFirst(digits.count)
    guard let unit = units.first(where: { $0.suffix == suffix }) else { return nil }
    let (product, overflow) = count.multipliedReportingOverflow(by: unit.nanoseconds)
    return overflow ? nil : .nanoseconds(product)
  }

  /// The largest unit that divides it: `250ms`, `2s`.
  package static func print(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    let whole = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    guard whole != 0 else { return "0s" }
    for unit in units.reversed() where whole % unit.nanoseconds == 0 {
      return "\(whole / unit.nanoseconds)\(unit.suffix)"
    }
    return "\(whole)ns"
  }
}
