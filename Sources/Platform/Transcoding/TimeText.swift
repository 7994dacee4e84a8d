/// RFC 3339 text of google.protobuf.Timestamp and the seconds text of Duration.
enum TimeText {
  /// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z, as timestamp.proto bounds it.
  static let timestampSeconds: ClosedRange<Int64> = -62_135_596_800...253_402_300_799
  /// 10,000 years, as duration.proto bounds it.
  static let durationSeconds: ClosedRange<Int64> = -315_576_000_000...315_576_000_000

  /// `2026-01-31T23:59:59.123456789Z` or with an offset such as `+01:00`; nil when it is neither.
  static func timestamp(parsing text: String) -> (seconds: Int64, nanos: Int32)? {
    var scanner = DigitScanner(text)
    guard let year = scanner.number(digits: 4), scanner.take("-"),
      let month = scanner.number(digits: 2), (1...12).contains(month), scanner.take("-"),
      let day = scanner.number(digits: 2), (1...daysInMonth(year, month)).contains(day),
      scanner.take("T") || scanner.take("t"),
      let hour = scanner.number(digits: 2), hour < 24, scanner.take(":"),
      let minute = scanner.number(digits: 2), minute < 60, scanner.take(":"),
      let second = scanner.number(digits: 2), second < 60
    else { return nil }
    guard let nanos = scanner.fraction(), let offset = scanner.offset(), scanner.isAtEnd else {
      return nil
    }
    let clock = hour * 3600 + minute * 60 + second
    let seconds = days(year, month, day) * 86_400 + clock - offset
    return timestampSeconds.contains(seconds) ? (seconds, nanos) : nil
  }

  /// Precondition: seconds and nanos are in range.
  static func timestamp(seconds: Int64, nanos: Int32) -> String {
    let day = (seconds >= 0 ? seconds : seconds - 86_399) / 86_400
    let clock = seconds - day * 86_400
    let (year, month, dayOfMonth) = civil(day)
    let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))"
    let time =
      "\(padded(clock / 3600, 2)):\(padded(clock / 60 % 60, 2)):\(padded(clock % 60, 2))"
    return "\(date)T\(time)\(fraction(nanos))Z"
  }

  /// `1.5s`, `-0.25s`; nil when it is not.
  static func duration(parsing text: String) -> (seconds: Int64, nanos: Int32)? {
    var scanner = DigitScanner(text)
    let isNegative = scanner.take("-")
    guard let seconds = scanner.number(), let nanos = scanner.fraction(), scanner.take("s"),
      scanner.isAtEnd, durationSeconds.contains(seconds)
    else { return nil }
    return isNegative ? (-seconds, -nanos) : (seconds, nanos)
  }

  static func duration(seconds: Int64, nanos: Int32) -> String {
    let sign = seconds < 0 || nanos < 0 ? "-" : ""
    return "\(sign)\(seconds.magnitude)\(fraction(Int32(nanos.magnitude)))s"
  }

  /// None, three, six or nine digits, as proto3 JSON writes.
  private static func fraction(_ nanos: Int32) -> String {
    let nanos = Int64(nanos)
    if nanos == 0 { return "" }
    if nanos % 1_000_000 == 0 { return ".\(padded(nanos / 1_000_000, 3))" }
    if nanos % 1000 == 0 { return ".\(padded(nanos / 1000, 6))" }
    return ".\(padded(nanos, 9))"
  }

  private static func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }

  private static func daysInMonth(_ year: Int64, _ month: Int64) -> Int64 {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][Int(month) - 1]
  }

  /// Days since 1970-01-01 in the proleptic Gregorian calendar (Hinnant, days_from_civil).
  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let y = month <= 2 ? year - 1 : year
    let era = (y >= 0 ? y : y - 399) / 400
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  /// The inverse (Hinnant, civil_from_days).
  private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let z = days + 719_468
    let era = (z >= 0 ? z : z - 146_096) / 146_097
    let dayOfEra = z - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthIndex = (5 * dayOfYear + 2) / 153
    let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, dayOfYear - (153 * monthIndex + 2) / 5 + 1)
  }
}

/// Reads digits and single characters off the front of a text.
private struct DigitScanner {
  private var rest: Substring.UTF8View

  init(_ text: String) { rest = text[...].utf8 }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard rest.first == UInt8(ascii: character) else { return false }
    rest = rest.dropFirst()
    return true
  }

  private mutating func digit() -> Int64? {
    guard let byte = rest.first, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else {
      return nil
    }
    rest = rest.dropFirst()
    return Int64(byte - UInt8(ascii: "0"))
  }

  mutating func number(digits: Int) -> Int64? {
    var value: Int64 = 0
    for _ in 0..<digits {
      guard let digit = digit() else { return nil }
      value = value * 10 + digit
    }
    return value
  }

  /// One to fifteen digits.
  mutating func number() -> Int64? {
    guard var value = digit() else { return nil }
    for _ in 0..<14 {
      guard let digit = digit() else { return value }
      value = value * 10 + digit
    }
    return digit() == nil ? value : nil
  }

  /// Nanoseconds: zero without a point, else one to nine digits after it.
  mutating func fraction() -> Int32? {
    guard take(".") else { return 0 }
    guard var value = digit() else { return nil }
    var count = 1
    while let digit = digit() {
      value = value * 10 + digit
      count += 1
      if count > 9 { return nil }
    }
    for _ in count..<9 { value *= 10 }
    return Int32(value)
  }

  /// Seconds east of UTC.
  mutating func offset() -> Int64? {
    if take("Z") || take("z") { return 0 }
    let isEast = take("+")
    guard isEast || take("-"), let hours = number(digits: 2), hours < 24, take(":"),
      let minutes = number(digits: 2), minutes < 60
    else { return nil }
    return (isEast ? 1 : -1) * (hours * 3600 + minutes * 60)
  }
}
