internal import MarketQuality
internal import ServiceKit
internal import Units
internal import Venues

extension Config {
  static func quality(_ settings: SettingsReader) -> QualityLimits {
    let standard = QualityLimits.standard
    var limits = standard
    limits.ageMax = settings.duration(
      "quality_age_max", in: .milliseconds(1)...(.seconds(3_600)), default: standard.ageMax,
      "Events older than this when they arrive are stale.")
    limits.skewMax = settings.duration(
      "quality_skew_max", in: .milliseconds(1)...(.seconds(3_600)), default: standard.skewMax,
      "Events from further ahead than this mean that a clock is wrong.")
    limits.silenceMax = settings.duration(
      "quality_silence_max", in: .seconds(1)...(.seconds(86_400)), default: standard.silenceMax,
      "A symbol without a word for this long is silent.")
    limits.spreadMaxMillionths = Int64(
      settings.int(
        "quality_spread_max", in: 1...1_000_000, default: Int(standard.spreadMaxMillionths),
        unit: "millionths", "A spread of more than this share of the middle is wide."))
    limits.crossedToleranceMillionths = Int64(
      settings.int(
        "quality_crossed_tolerance", in: 0...1_000_000,
        default: Int(standard.crossedToleranceMillionths), unit: "millionths",
        "How far, as a share of the ask, the bid may be above it before a book is crossed."))
    limits.jumpMax = Double(
      settings.int(
        "quality_jump_max", in: 1...1_000, default: Int(standard.jumpMax),
        unit: "deviations", "A trade further than this from the median of the latest is a jump."))
    limits.resyncsMax = settings.int(
      "quality_resyncs_max", in: 0...1_000, default: standard.resyncsMax, unit: "snapshots",
      "Snapshots that checks may ask for, for one symbol in quality_resync_window; then only told.")
    limits.resyncWindow = settings.duration(
      "quality_resync_window", in: .seconds(1)...(.seconds(3_600)), default: standard.resyncWindow,
      "The time of quality_resyncs_max.")
    for check in QualityCheck.allCases {
      limits.actions[check] = settings.choice(
        "quality_\(check.name)_action", default: standard.action(of: check),
        "What is done when the check \(check.name) fails.")
    }
    return limits
  }

  static func venueActions(
    _ settings: SettingsReader
  ) -> [String: [QualityCheck: QualityAction]] {
    let texts = settings.list(
      "quality_venue_actions", maximum: 128, default: [],
      "What is done otherwise at one venue: venue, check and action.")
    var actions: [String: [QualityCheck: QualityAction]] = [:]
    for text in texts {
      let words = text.split(separator: " ").map(String.init)
      guard words.count == 3, KnownVenue(rawValue: words[0]) != nil,
        let check = QualityCheck.allCases.first(where: { $0.name == words[1] }),
        let action = QualityAction(rawValue: words[2])
      else {
        settings.check(false, "quality_venue_actions has \(text), not: kraken crossed flag")
        continue
      }
      actions[words[0], default: [:]][check] = action
    }
    return actions
  }
}
