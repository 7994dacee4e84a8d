internal import Chrono
internal import ServiceKit
internal import Venues

extension Config {
  static func breakers(_ settings: SettingsReader) -> [KnownVenue: CircuitBreaker.Limits] {
    let standard = standard(settings)
    var limits = Dictionary(uniqueKeysWithValues: KnownVenue.allCases.map { ($0, standard) })
    let texts = settings.list(
      "breaker_venue_limits", maximum: 16, default: [],
      "A venue's own breaker_failures_max and breaker_cool_down.")
    for text in texts {
      let words = text.split(separator: " ").map(String.init)
      guard words.count == 3, let venue = KnownVenue(rawValue: words[0]),
        let failures = Int(words[1]), (1...10_000).contains(failures),
        let coolDown = DurationText.parse(words[2]), coolDown >= .milliseconds(100)
      else {
        settings.check(false, "breaker_venue_limits has \(text), not: kraken 10 2m")
        continue
      }
      limits[venue]?.failuresMax = failures
      limits[venue]?.coolDown = coolDown
    }
    return limits
  }

  private static func standard(_ settings: SettingsReader) -> CircuitBreaker.Limits {
    var limits = CircuitBreaker.Limits()
    limits.failuresMax = settings.int(
      "breaker_failures_max", in: 1...10_000, default: limits.failuresMax, unit: "requests",
      "So many requests in a row that fail open a venue's circuit breaker.")
    limits.errorMillionthsMax = settings.int(
      "breaker_error_max", in: 0...1_000_000, default: limits.errorMillionthsMax,
      unit: "millionths", "A larger share of failures in breaker_window opens it too.")
    limits.requestsMin = settings.int(
      "breaker_requests_min", in: 1...100_000, default: limits.requestsMin, unit: "requests",
      "Fewer requests in breaker_window have no share of failures.")
    limits.window = settings.duration(
      "breaker_window", in: .seconds(1)...(.seconds(3_600)), default: limits.window,
      "The time that the share of failures is taken over.")
    limits.coolDown = settings.duration(
      "breaker_cool_down", in: .milliseconds(100)...(.seconds(3_600)), default: limits.coolDown,
      "How long an open breaker refuses before it lets requests through to see.")
    limits.probes = settings.int(
      "breaker_probes", in: 1...100, default: limits.probes, unit: "requests",
      "Requests let through after the cool-down; when all succeed it closes.")
    return limits
  }
}
