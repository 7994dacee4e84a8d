/// A moment as people write it: the proleptic Gregorian calendar in UTC, without leap seconds.
package struct CivilTime: Sendable, Hashable {
  package let year: Int64
  package let month: Int64
  package let day: Int64
  package let hour: Int64
  package let minute: Int64
  package let second: Int64
  package let nanosecond: Int64

  package init(_ instant: Instant) {
    let (days, nanoseconds) = Self.split(instant.nanoseconds, by: 86_400_000_000_000)
    let (date, seconds) = (Self.date(fromDays: days), nanoseconds / 1_000_000_000)
    year = date.year
    month = date.month
    day = date.day
    hour = seconds / 3600
    minute = seconds / 60 % 60
    second = seconds % 60
    nanosecond = nanoseconds % 1_000_000_000
  }

  /// Nil for a date that does not exist; 23:59:60 is refused too.
  package init?(
    year: Int64, month: Int64, day: Int64, hour: Int64 = 0, minute: Int64 = 0, second: Int64 = 0,
    nanosecond: Int64 = 0
  ) {
    guard (1...12).contains(month), (1...31).contains(day), (0...9999).contains(year),
      (0...23).contains(hour), (0...59).contains(minute), (0...59).contains(second),
      (0...999_999_999).contains(nanosecond)
    else { return nil }
    // 31 April lands on 1 May: a day that does not come back is not a day.
    let back = Self.date(fromDays: Self.days(year: year, month: month, day: day))
    guard back.month == month, back.day == day else { return nil }
    self.year = year
    self.month = month
    self.day = day
    self.hour = hour
    self.minute = minute
    self.second = second
    self.nanosecond = nanosecond
  }

  /// Nil outside the years 1677 to 2262, which 64 bits of nanoseconds cannot hold.
  package var instant: Instant? {
    let days = Self.days(year: year, month: month, day: day)
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second
    let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carried) = scaled.addingReportingOverflow(nanosecond)
    return overflow || carried ? nil : Instant(nanoseconds: sum)
  }

  /// Days since 1970-01-01 (Howard Hinnant's `days_from_civil`: years begin in March).
  private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let (era, yearOfEra) = split(shifted, by: 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  /// The inverse, `civil_from_days`.
  private static func date(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = split(days + 719_468, by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    let day = dayOfYear - (153 * shifted + 2) / 5 + 1
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }

  /// Division that rounds down, so that moments before 1970 have positive remainders.
  private static func split(_ value: Int64, by divisor: Int64) -> (Int64, Int64) {
    let remainder = value % divisor
    return remainder < 0
      ? (value / divisor - 1, remainder + divisor) : (value / divisor, remainder)
  }
}

extension Instant {
  /// `2024-08-08T09:05:03.000000007Z`: always nine digits, so that texts sort as moments do.
  package var rfc3339: String {
    let civil = CivilTime(self)
    var text: [UInt8] = []
    text.reserveCapacity(30)
    func put(_ value: Int64, digits: Int, then mark: UInt8) {
      var power: Int64 = 1
      for _ in 1..<digits { power *= 10 }
      while power > 0 {
        text.append(UInt8(ascii: "0") + UInt8(value / power % 10))
        power /= 10
      }
      text.append(mark)
    }
    put(civil.year, digits: 4, then: UInt8(ascii: "-"))
    put(civil.month, digits: 2, then: UInt8(ascii: "-"))
    put(civil.day, digits: 2, then: UInt8(ascii: "T"))
    put(civil.hour, digits: 2, then: UInt8(ascii: ":"))
    put(civil.minute, digits: 2, then: UInt8(ascii: ":"))
    put(civil.second, digits: 2, then: UInt8(ascii: "."))
    put(civil.nanosecond, digits: 9, then: UInt8(ascii: "Z"))
    return String(decoding: text, as: UTF8.self)
  }

  /// RFC 3339 with `T` or a space, up to nine digits of a second, and `Z` or an offset such as
  /// `+02:00` or PostgreSQL's `+02`. Nil for anything else, never a nearest guess.
  package init?(rfc3339 text: some StringProtocol) {
    var digits = DigitReader(text)
    guard let year = digits.number(4), digits.mark("-"), let month = digits.number(2),
      digits.mark("-"), let day = digits.number(2), digits.mark("T") || digits.mark(" "),
      let hour = digits.number(2), digits.mark(":"), let minute = digits.number(2),
      digits.mark(":"), let second = digits.number(2), let fraction = digits.fraction(),
      let offset = digits.offsetSeconds(), digits.isAtEnd,
      let civil = CivilTime(
        year: year, month: month, day: day, hour: hour, minute: minute, second: second,
        nanosecond: fraction),
      let local = civil.instant
    else { return nil }
    let (utc, overflow) = local.nanoseconds.subtractingReportingOverflow(offset * 1_000_000_000)
    guard !overflow else { return nil }
    self.init(nanoseconds: utc)
  }
}

private struct DigitReader {
  private let bytes: [UInt8]
  private var next = 0

  init(_ text: some StringProtocol) { bytes = Array(text.utf8) }

  var isAtEnd: Bool { next == bytes.count }

  mutating func mark(_ character: Unicode.Scalar) -> Bool {
    guard next < bytes.count, bytes[next] == UInt8(ascii: character) else { return false }
    next += 1
    return true
  }

  mutating func number(_ count: Int) -> Int64? {
    var value: Int64 = 0
    for _ in 0..<count {
      guard let digit = digit() else { return nil }
      value = value * 10 + digit
    }
    return value
  }

  /// Nanoseconds after an optional point; nil when a point has no digits or more than nine.
  mutating func fraction() -> Int64? {
    guard mark(".") else { return 0 }
    var value: Int64 = 0
    var count = 0
    while let digit = digit() {
      value = value * 10 + digit
      count += 1
      guard count <= 9 else { return nil }
    }
    guard count > 0 else { return nil }
    for _ in count..<9 { value *= 10 }
    return value
  }

  mutating func offsetSeconds() -> Int64? {
    if mark("Z") { return 0 }
    let sign: Int64
    if mark("+") {
      sign = 1
    } else if mark("-") {
      sign = -1
    } else {
      return nil
    }
    guard let hours = number(2), hours <= 23 else { return nil }
    guard mark(":") else { return sign * hours * 3600 }
    guard let minutes = number(2), minutes <= 59 else { return nil }
    return sign * (hours * 3600 + minutes * 60)
  }

  private mutating func digit() -> Int64? {
    guard next < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[next]) else {
      return nil
    }
    next += 1
    return Int64(bytes[next - 1] - UInt8(ascii: "0"))
  }
}
