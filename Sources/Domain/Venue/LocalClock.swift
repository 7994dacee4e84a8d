package import Chrono

/// A place's clock as an offset from UTC, with the rule by which it changes for summer: what a
/// POSIX TZ string says (IEEE 1003.1, 8.3: `EST5EDT,M3.2.0,M11.1.0`), as values.
package struct LocalClock: Sendable, Hashable {
  /// The n-th weekday of a month (5: the last), at a minute of the local day.
  package struct Change: Sendable, Hashable {
    package var month: Int64
    package var week: Int64
    package var weekday: Weekday
    package var minute: Int64

    package init(month: Int64, week: Int64, weekday: Weekday, minute: Int64) {
      precondition((1...12).contains(month) && (1...5).contains(week), "no such change")
      self.month = month
      self.week = week
      self.weekday = weekday
      self.minute = minute
    }
  }

  package struct Summer: Sendable, Hashable {
    package var offsetMinutes: Int64
    /// In standard time.
    package var begins: Change
    /// In summer time.
    package var ends: Change

    package init(offsetMinutes: Int64, begins: Change, ends: Change) {
      self.offsetMinutes = offsetMinutes
      self.begins = begins
      self.ends = ends
    }
  }

  /// East of UTC is positive.
  package var offsetMinutes: Int64
  package var summer: Summer?

  package init(offsetMinutes: Int64, summer: Summer? = nil) {
    self.offsetMinutes = offsetMinutes
    self.summer = summer
  }

  package static let utc = LocalClock(offsetMinutes: 0)

  /// The offset in force at a moment.
  package func offsetMinutes(at instant: Instant) -> Int64 {
    guard let summer else { return offsetMinutes }
    let minute = Minutes.floor(instant)
    let year = CivilTime(Minutes.instant(minute + offsetMinutes)).year
    let begins = Self.minute(of: summer.begins, year) - offsetMinutes
    let ends = Self.minute(of: summer.ends, year) - summer.offsetMinutes
    // South of the equator summer spans the new year.
    let isSummer =
      begins < ends ? (begins..<ends).contains(minute) : !(ends..<begins).contains(minute)
    return isSummer ? summer.offsetMinutes : offsetMinutes
  }

  /// The minutes since 1970 that the clock shows: it counts local days and their minutes.
  package func minutesShown(at instant: Instant) -> Int64 {
    Minutes.floor(instant) + offsetMinutes(at: instant)
  }

  /// When the clock shows so many minutes since 1970; nil for an hour that a change leaves out, the
  /// first time for one that comes twice.
  package func instant(showing minutes: Int64) -> Instant? {
    let offsets = [summer?.offsetMinutes ?? offsetMinutes, offsetMinutes].sorted(by: >)
    return offsets.map { Minutes.instant(minutes - $0) }
      .first { minutesShown(at: $0) == minutes }
  }

  private static func minute(of change: Change, _ year: Int64) -> Int64 {
    let first = Minutes.day(year, change.month, 1)
    let lead = (change.weekday.rawValue - Weekday(day: first).rawValue + 7) % 7
    var day = first + lead + (change.week - 1) * 7
    let next =
      change.month == 12 ? Minutes.day(year + 1, 1, 1) : Minutes.day(year, change.month + 1, 1)
    while day >= next { day -= 7 }
    return day * Minutes.perDay + change.minute
  }
}

package enum Weekday: Int64, Sendable, Hashable, CaseIterable {
  case sunday = 0
  case monday = 1
  case tuesday = 2
  case wednesday = 3
  case thursday = 4
  case friday = 5
  case saturday = 6

  /// Of a day counted from 1970-01-01, which was a Thursday.
  package init(day: Int64) {
    let number = ((day + 4) % 7 + 7) % 7
    self = Self.allCases[Int(number)]
  }
}

/// Whole minutes and days since 1970.
enum Minutes {
  static let perDay: Int64 = 1_440
  private static let nanoseconds: Int64 = 60_000_000_000

  static func floor(_ instant: Instant) -> Int64 {
    Self.floor(instant.nanoseconds, by: nanoseconds)
  }

  static func floor(_ value: Int64, by unit: Int64) -> Int64 {
    value >= 0 ? value / unit : -((-value + unit - 1) / unit)
  }

  static func instant(_ minutes: Int64) -> Instant { Instant(nanoseconds: minutes * nanoseconds) }

  /// Days since 1970 of a date that exists.
  static func day(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    guard let instant = CivilTime(year: year, month: month, day: day)?.instant else {
      preconditionFailure("\(year)-\(month)-\(day) is no date")
    }
    return floor(floor(instant), by: perDay)
  }
}
