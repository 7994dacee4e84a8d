import Chrono
import Seeds
import Testing
import Venue

private func at(_ text: String) throws -> Instant { try #require(Instant(rfc3339: text)) }

private let weekdays: Set<Weekday> = [.monday, .tuesday, .wednesday, .thursday, .friday]

/// EST5EDT,M3.2.0,M11.1.0
private let newYork = LocalClock(
  offsetMinutes: -300,
  summer: LocalClock.Summer(
    offsetMinutes: -240,
    begins: LocalClock.Change(month: 3, week: 2, weekday: .sunday, minute: 120),
    ends: LocalClock.Change(month: 11, week: 1, weekday: .sunday, minute: 120)))

/// AEST-10AEDT,M10.1.0,M4.1.0/3
private let sydney = LocalClock(
  offsetMinutes: 600,
  summer: LocalClock.Summer(
    offsetMinutes: 660,
    begins: LocalClock.Change(month: 10, week: 1, weekday: .sunday, minute: 120),
    ends: LocalClock.Change(month: 4, week: 1, weekday: .sunday, minute: 180)))

/// CET-1CEST,M3.5.0,M10.5.0/3
private let berlin = LocalClock(
  offsetMinutes: 60,
  summer: LocalClock.Summer(
    offsetMinutes: 120,
    begins: LocalClock.Change(month: 3, week: 5, weekday: .sunday, minute: 120),
    ends: LocalClock.Change(month: 10, week: 5, weekday: .sunday, minute: 180)))

@Suite struct `A local clock` {
  @Test(
    arguments: [
      ("2026-03-08T06:59:59Z", -300), ("2026-03-08T07:00:00Z", -240),
      ("2026-11-01T05:59:59Z", -240), ("2026-11-01T06:00:00Z", -300),
      ("2026-12-31T23:59:59Z", -300), ("2027-01-01T03:00:00Z", -300),
    ] as [(String, Int64)])
  func `New York changes on the second Sunday of March and the first of November`(
    text: String, offset: Int64
  ) throws {
    #expect(newYork.offsetMinutes(at: try at(text)) == offset)
  }

  @Test(
    arguments: [
      ("2026-04-04T15:59:59Z", 660), ("2026-04-04T16:00:00Z", 600),
      ("2026-10-03T15:59:59Z", 600), ("2026-10-03T16:00:00Z", 660),
      ("2026-12-31T23:59:59Z", 660),
    ] as [(String, Int64)])
  func `Sydney's summer spans the new year`(text: String, offset: Int64) throws {
    #expect(sydney.offsetMinutes(at: try at(text)) == offset)
  }

  @Test(
    arguments: [
      ("2026-03-29T00:59:59Z", 60), ("2026-03-29T01:00:00Z", 120),
      ("2026-10-25T00:59:59Z", 120), ("2026-10-25T01:00:00Z", 60),
    ] as [(String, Int64)])
  func `Berlin changes on last Sundays`(text: String, offset: Int64) throws {
    #expect(berlin.offsetMinutes(at: try at(text)) == offset)
  }

  @Test func `an hour left out is never shown, one that comes twice is shown first in summer`()
    throws
  {
    let march = newYork.minutesShown(at: try at("2026-03-08T06:59:00Z"))
    #expect(newYork.instant(showing: march + 1) == nil)
    #expect(newYork.instant(showing: march + 61) == (try at("2026-03-08T07:00:00Z")))
    let november = newYork.minutesShown(at: try at("2026-11-01T05:30:00Z"))
    #expect(november == newYork.minutesShown(at: try at("2026-11-01T06:30:00Z")))
    #expect(newYork.instant(showing: november) == (try at("2026-11-01T05:30:00Z")))
  }

  @Test func `before 1970 minutes count down`() throws {
    #expect(newYork.offsetMinutes(at: try at("1969-12-31T23:59:59Z")) == -300)
    #expect(LocalClock.utc.minutesShown(at: try at("1969-12-31T23:59:59Z")) == -1)
    #expect(Weekday(day: -1) == .wednesday && Weekday(day: 0) == .thursday)
  }
}

@Suite struct `Trading hours` {
  private static let stocks = TradingHours(
    clock: newYork,
    sessions: [TradingHours.Session(days: weekdays, opens: 570, closes: 960)],
    exceptions: [
      (2026, 12, 25, TradingHours.Exception("Christmas")),
      (2026, 11, 27, TradingHours.Exception("the day after Thanksgiving", closes: 780)),
    ])

  /// From Sunday 18:00 to Friday 17:00 with an hour off each day.
  private static let futures = TradingHours(
    clock: newYork,
    sessions: [
      TradingHours.Session(
        days: [.sunday, .monday, .tuesday, .wednesday, .thursday], opens: 1_080, closes: 2_460)
    ],
    exceptions: [(2026, 12, 24, TradingHours.Exception("Christmas Eve"))])

  @Test(
    arguments: [
      ("2026-01-05T14:29:59Z", false), ("2026-01-05T14:30:00Z", true),
      ("2026-01-05T20:59:59Z", true), ("2026-01-05T21:00:00Z", false),
      // Half past nine is an hour earlier in summer.
      ("2026-07-06T13:30:00Z", true), ("2026-07-06T13:29:59Z", false),
      ("2026-01-04T15:00:00Z", false), ("2026-12-25T15:00:00Z", false),
      ("2026-11-27T17:59:59Z", true), ("2026-11-27T18:00:00Z", false),
    ] as [(String, Bool)])
  func `EX-10 sessions are of the venue's own clock, but for its days off`(
    text: String, isOpen: Bool
  ) throws {
    #expect(Self.stocks.isOpen(at: try at(text)) == isOpen)
  }

  @Test(
    arguments: [
      ("2026-01-04T22:59:59Z", false), ("2026-01-04T23:00:00Z", true),
      ("2026-01-05T05:00:00Z", true), ("2026-01-05T21:59:59Z", true),
      ("2026-01-05T22:00:00Z", false), ("2026-01-05T23:00:00Z", true),
      ("2026-01-09T22:00:00Z", false), ("2026-01-10T15:00:00Z", false),
      // The session of the 23rd runs into the day off; the one of the 24th is gone on the 25th too.
      ("2026-12-24T15:00:00Z", true), ("2026-12-25T00:00:00Z", false),
      ("2026-12-25T15:00:00Z", false),
    ] as [(String, Bool)])
  func `EX-10 a session over midnight is of the day on which it opens`(
    text: String, isOpen: Bool
  ) throws {
    #expect(Self.futures.isOpen(at: try at(text)) == isOpen)
  }

  @Test func `EX-10 what is always open closes for maintenance, with the reason`() throws {
    var hours = TradingHours.always
    #expect(hours.words == "always")
    let (from, to) = (try at("2026-01-31T08:00:00Z"), try at("2026-01-31T09:00:00Z"))
    hours.closures = [TradingHours.Closure(from..<to, "maintenance")]

    #expect(hours.state(at: try at("2026-01-31T07:59:59.999999999Z")) == .open)
    #expect(hours.state(at: from) == .closed("maintenance"))
    #expect(hours.state(at: try at("2026-01-31T08:59:59.999999999Z")) == .closed("maintenance"))
    #expect(hours.state(at: to) == .open)
    #expect(hours.nextOpening(from: from) == to)
    #expect(hours.words == "always but for maintenance")
  }

  @Test func `reasons name the day off`() throws {
    let day = Self.stocks.state(at: try at("2026-12-25T15:00:00Z"))
    #expect(day == .closed("Christmas"))
    let night = Self.stocks.state(at: try at("2026-12-23T03:00:00Z"))
    #expect(night == .closed("outside of its sessions"))
  }

  @Test(arguments: [
    ("2026-01-05T15:00:00Z", "2026-01-05T15:00:00Z"),
    ("2026-01-02T21:00:00Z", "2026-01-05T14:30:00Z"),
    ("2026-12-24T21:00:00Z", "2026-12-28T14:30:00Z"),
    ("2026-03-06T22:00:00Z", "2026-03-09T13:30:00Z"),
  ])
  func `the next opening skips days off and follows the clock`(from: String, to: String) throws {
    #expect(Self.stocks.nextOpening(from: try at(from)) == (try at(to)))
  }

  @Test func `what never opens has no next opening`() throws {
    let never = TradingHours(
      sessions: [TradingHours.Session(days: [], opens: 0, closes: 1_440)])
    #expect(never.nextOpening(from: .epoch) == nil)
  }

  /// Over three years, the next opening is where walking minute by minute finds it.
  @Test func `the next opening is the first open minute`() throws {
    var random = SeededGenerator(seed: 0x7AD1)
    let start = try at("2026-01-01T00:00:00Z")
    for hours in [Self.stocks, Self.futures] {
      for _ in 0..<40 {
        let from = start + .seconds(60 * Int64.random(in: 0..<1_576_800, using: &random))
        var walked = from
        while !hours.isOpen(at: walked) { walked = walked + .seconds(60) }
        #expect(hours.nextOpening(from: from) == walked, "from \(from.rfc3339), seed 0x7AD1")
      }
    }
  }
}
