internal import MarketQuality
package import ServiceKit
internal import Units
internal import Venues

package struct Config: ServiceSettings {
  let venues: [KnownVenue]
  /// By venue.
  let sites: [KnownVenue: VenueSite]
  let shadowOnly: Set<String>
  let requestTimeout: Duration
  let readerQueueMax: Int
  let readersMax: Int
  let slowReaderWait: Duration
  let noticesMax: Int
  let makerFeeBps: Int
  let takerFeeBps: Int
  let quality: QualityLimits

  /// Where one venue is, and what is followed there.
  struct VenueSite: Sendable {
    let symbols: [String]
    let restURL: String
    let streamHost: String
    let streamPort: Int
  }

  package init(_ settings: SettingsReader) {
    let names = settings.list(
      "venues", maximum: 16, default: ["binance"],
      "Venues to connect: " + KnownVenue.allCases.map(\.rawValue).joined(separator: ", ") + ".")
    for name in names {
      settings.check(
        KnownVenue(rawValue: name) != nil, "venues has \(name), and no such venue is known")
    }
    venues = names.compactMap(KnownVenue.init(rawValue:))
    shadowOnly = Set(
      settings.list(
        "shadow_only", maximum: 16, default: [],
        "Venues where no order may go, although they take some."))
    sites = Self.sites(settings)
    requestTimeout = settings.duration(
      "request_timeout", in: .milliseconds(10)...(.seconds(60)), default: .seconds(2),
      "A venue that has not answered a request by then is silent.")
    readerQueueMax = settings.int(
      "reader_queue_max", in: 16...1_000_000, default: 4_096, unit: "events",
      "Events that wait for one reader; at the limit the venue's stream is held back.")
    readersMax = settings.int(
      "readers_max", in: 1...100_000, default: 1_000, unit: "streams",
      "More streams are refused with RESOURCE_EXHAUSTED.")
    slowReaderWait = settings.duration(
      "slow_reader_wait", in: .milliseconds(1)...(.seconds(300)), default: .seconds(5),
      "How long a full reader may hold the venue back; then it is ended with RESOURCE_EXHAUSTED.")
    noticesMax = settings.int(
      "notices_max", in: 16...100_000, default: 1_000, unit: "notices",
      "Notices that wait for one reader; at the limit it loses the oldest.")
    makerFeeBps = settings.int(
      "maker_fee_bps", in: 0...1_000, default: 10, unit: "basis points",
      "The maker fee of our account, for display.")
    takerFeeBps = settings.int(
      "taker_fee_bps", in: 0...1_000, default: 10, unit: "basis points",
      "The taker fee of our account, for display.")
    quality = Self.quality(settings)
  }

  private static func sites(_ settings: SettingsReader) -> [KnownVenue: VenueSite] {
    var sites: [KnownVenue: VenueSite] = [:]
    for venue in KnownVenue.allCases {
      // Settings have no dashes.
      let name = venue.rawValue.map { $0 == "-" ? "_" : "\($0)" }.joined()
      sites[venue] = VenueSite(
        symbols: settings.list(
          "\(name)_symbols", maximum: 1_000, default: ["BTCUSDT", "ETHUSDT", "SOLUSDT"],
          "Symbols to follow at \(venue.rawValue), in our spelling."),
        restURL: settings.string(
          "\(name)_rest_url", default: "",
          "The REST address of \(venue.rawValue); empty: the simulator, at its port in ports.toml."),
        streamHost: settings.string(
          "\(name)_stream_host", default: "127.0.0.1",
          "The host of the WebSocket streams of \(venue.rawValue)."),
        streamPort: settings.int(
          "\(name)_stream_port", in: 0...65_535, default: 0,
          "The port of those streams; 0: the simulator's in ports.toml."))
    }
    return sites
  }

  private static func quality(_ settings: SettingsReader) -> QualityLimits {
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
    for check in QualityCheck.allCases {
      limits.actions[check] =
        settings.choice(
          "quality_\(check.name)_action", default: QualityActionName(standard.action(of: check)),
          "What is done when the check \(check.name) fails."
        ).action
    }
    return limits
  }
}

/// The names of actions in settings.
enum QualityActionName: String, CaseIterable, Sendable {
  case flag
  case alert
  case discard
  case discardAndAlert = "discard_and_alert"

  init(_ action: QualityAction) {
    self =
      switch action {
      case .flag: .flag
      case .alert: .alert
      case .discard: .discard
      case .discardAndAlert: .discardAndAlert
      }
  }

  var action: QualityAction {
    switch self {
    case .flag: .flag
    case .alert: .alert
    case .discard: .discard
    case .discardAndAlert: .discardAndAlert
    }
  }
}
