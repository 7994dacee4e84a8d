internal import Chrono
internal import ServiceKit
internal import Venue
internal import Venues

/// When venues take orders, as far as the settings say: sessions by the venue's own clock, and
/// announced closures.
struct VenueSchedule: Sendable {
  private var sessions: [String: [TradingHours.Session]] = [:]
  private var offsets: [String: Int64] = [:]
  private var closures: [String: [TradingHours.Closure]] = [:]

  init(_ settings: SettingsReader) {
    let sessions = settings.list(
      "sessions", maximum: 100, default: [],
      "When a venue takes orders: venue, days, hours and offset; none: always.")
    for text in sessions where !takeSession(text) {
      settings.check(false, "sessions has \(text), not: kraken mon-fri 09:30-16:00 +01:00")
    }
    let closures = settings.list(
      "closures", maximum: 100, default: [],
      "Announced maintenance: venue, from/to in RFC 3339, and why; orders are MARKET_CLOSED then.")
    for text in closures where !takeClosure(text) {
      settings.check(
        false, "closures has \(text), not: binance 2026-01-31T08:00:00Z/2026-01-31T09:00:00Z why")
    }
  }

  func hours(of venue: String, standard: TradingHours) -> TradingHours {
    var hours = standard
    if let own = sessions[venue] {
      hours = TradingHours(clock: LocalClock(offsetMinutes: offsets[venue] ?? 0), sessions: own)
    }
    hours.closures += closures[venue] ?? []
    return hours
  }

  // MARK: Texts

  private mutating func takeClosure(_ text: String) -> Bool {
    let words = text.split(separator: " ", maxSplits: 2).map(String.init)
    let ends = words.count == 3 ? words[1].split(separator: "/").map { Instant(rfc3339: $0) } : []
    guard ends.count == 2, let from = ends[0], let to = ends[1], from < to,
      KnownVenue(rawValue: words[0]) != nil
    else { return false }
    closures[words[0], default: []].append(TradingHours.Closure(from..<to, words[2]))
    return true
  }

  /// A session that closes at or before it opens closes on the next day.
  private mutating func takeSession(_ text: String) -> Bool {
    let words = text.split(separator: " ").map(String.init)
    guard words.count == 4, KnownVenue(rawValue: words[0]) != nil, let days = Self.days(words[1]),
      let offset = Self.offset(words[3]), offsets[words[0], default: offset] == offset
    else { return false }
    let times = words[2].split(separator: "-").map { Self.minutes($0) }
    guard times.count == 2, let opens = times[0], let closes = times[1], opens < 1_440 else {
      return false
    }
    offsets[words[0]] = offset
    sessions[words[0], default: []].append(
      TradingHours.Session(
        days: days, opens: opens, closes: closes > opens ? closes : closes + 1_440))
    return true
  }

  private static let names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

  /// `mon-fri`, `sat-sun`, `wed` or `daily`.
  private static func days(_ text: String) -> Set<Weekday>? {
    if text == "daily" { return Set(Weekday.allCases) }
    let ends = text.split(separator: "-").map { names.firstIndex(of: String($0)) }
    guard let first = ends.first, let last = ends.last, let first, let last, ends.count <= 2 else {
      return nil
    }
    let length = (last - first + 7) % 7
    return Set((0...length).map { Weekday.allCases[(first + $0) % 7] })
  }

  private static func minutes(_ text: some StringProtocol) -> Int64? {
    let parts = text.split(separator: ":")
    guard parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 }), let hour = Int64(parts[0]),
      let minute = Int64(parts[1]), (0...24).contains(hour), (0...59).contains(minute),
      hour < 24 || minute == 0
    else { return nil }
    return hour * 60 + minute
  }

  /// `Z` or `+01:00`.
  private static func offset(_ text: String) -> Int64? {
    if text == "Z" { return 0 }
    guard text.hasPrefix("+") || text.hasPrefix("-"), let minutes = minutes(text.dropFirst()),
      minutes <= 14 * 60
    else { return nil }
    return text.hasPrefix("-") ? -minutes : minutes
  }
}
