package import Chrono

/// When a venue takes orders: sessions by its own clock, days off, and closures between two
/// moments.
///
/// A session belongs to the day on which it opens, also when it closes on the next: a day off takes
/// the whole of it away. Opening belongs to a session, closing does not. What a venue says of a
/// single instrument (a halt) is `TradingStatus`, and comes on top.
package struct TradingHours: Sendable, Hashable {
  package struct Session: Sendable, Hashable {
    package var days: Set<Weekday>
    /// Minutes of the local day; `closes` may be past midnight, up to the second day's end.
    package var opens: Int64
    package var closes: Int64

    package init(days: Set<Weekday>, opens: Int64, closes: Int64) {
      precondition(0 <= opens && opens < closes && opens < 1_440 && closes <= 2_880, "no session")
      self.days = days
      self.opens = opens
      self.closes = closes
    }
  }

  /// A day that is not as its weekday.
  package struct Exception: Sendable, Hashable {
    package var name: String
    /// Minutes of the local day from which it is closed; 0: all of it.
    package var closes: Int64

    package init(_ name: String, closes: Int64 = 0) {
      self.name = name
      self.closes = closes
    }
  }

  /// Maintenance, or whatever else was announced.
  package struct Closure: Sendable, Hashable {
    package var times: Range<Instant>
    package var reason: String

    package init(_ times: Range<Instant>, _ reason: String) {
      self.times = times
      self.reason = reason
    }
  }

  package enum State: Sendable, Hashable {
    case open
    /// With the reason: `Christmas`, `maintenance`, `outside of its sessions`.
    case closed(String)
  }

  package let clock: LocalClock
  /// Nil: always in session.
  package let sessions: [Session]?
  /// By local day since 1970.
  private let exceptions: [Int64: Exception]
  package var closures: [Closure]

  package static let always = TradingHours()

  /// `exceptions` are dates as (year, month, day), which must exist.
  package init(
    clock: LocalClock = .utc, sessions: [Session]? = nil,
    exceptions: [(year: Int64, month: Int64, day: Int64, Exception)] = [],
    closures: [Closure] = []
  ) {
    self.clock = clock
    self.sessions = sessions
    self.exceptions = Dictionary(
      exceptions.map { (Minutes.day($0.year, $0.month, $0.day), $0.3) },
      uniquingKeysWith: { first, second in first.closes <= second.closes ? first : second })
    self.closures = closures
  }

  package func state(at instant: Instant) -> State {
    if let closure = closures.first(where: { $0.times.contains(instant) }) {
      return .closed(closure.reason)
    }
    let shown = clock.minutesShown(at: instant)
    let today = Minutes.floor(shown, by: Minutes.perDay)
    if isInSession(shown, of: today) || isInSession(shown, of: today - 1) { return .open }
    let name = exceptions[today]?.name
    return .closed(name ?? "outside of its sessions")
  }

  package func isOpen(at instant: Instant) -> Bool { state(at: instant) == .open }

  private func isInSession(_ shown: Int64, of day: Int64) -> Bool {
    let minute = shown - day * Minutes.perDay
    if let exception = exceptions[day], minute >= exception.closes { return false }
    guard let sessions else { return minute < Minutes.perDay }
    let weekday = Weekday(day: day)
    return sessions.contains {
      $0.days.contains(weekday) && $0.opens <= minute && minute < $0.closes
    }
  }

  /// The first moment at or after `instant` at which it is open; nil when there is none in a year.
  package func nextOpening(from instant: Instant) -> Instant? {
    if isOpen(at: instant) { return instant }
    var candidates = closures.map(\.times.upperBound)
    let today = Minutes.floor(clock.minutesShown(at: instant), by: Minutes.perDay)
    let opens = Set(sessions?.map(\.opens) ?? [0])
    for day in (today - 1)...(today + 366) {
      for minute in opens {
        if let moment = clock.instant(showing: day * Minutes.perDay + minute) {
          candidates.append(moment)
        }
      }
    }
    return candidates.sorted().first { $0 > instant && isOpen(at: $0) }
  }

  /// In words: `always`, or `in sessions`, and what is announced.
  package var words: String {
    let hours = sessions == nil && exceptions.isEmpty ? "always" : "in sessions"
    return closures.isEmpty
      ? hours : hours + " but for " + closures.map(\.reason).joined(separator: ", ")
  }
}
