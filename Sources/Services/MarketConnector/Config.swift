internal import Chrono
internal import MarketQuality
package import ServiceKit
internal import Units
internal import Venue
internal import Venues

package struct Config: ServiceSettings {
  let venues: [KnownVenue]
  /// By venue.
  let sites: [KnownVenue: VenueSite]
  let shadowOnly: Set<String>
  /// By venue: when it takes no orders.
  let closures: [String: [TradingHours.Closure]]
  let shards: Int
  let mailboxMax: Int
  let requestTimeout: Duration
  let orderRateMax: Int
  let requestWeightMax: Int
  let readerQueueMax: Int
  let readersMax: Int
  let slowReaderWait: Duration
  let krakenBooksByOrder: Bool
  let noticesMax: Int
  let makerFeeBps: Int
  let takerFeeBps: Int
  private let quality: QualityLimits
  private let venueActions: [String: [QualityCheck: QualityAction]]

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
    sites = Self.sites(settings)
    for venue in venues where !venue.isSimulated && sites[venue]?.restURL.isEmpty != false {
      settings.check(
        false,
        "venues has \(venue.rawValue), which the simulator does not speak: set its rest_url too")
    }
    shadowOnly = Set(
      settings.list(
        "shadow_only", maximum: 16, default: [],
        "Venues where no order may go, although they take some."))
    closures = Self.closures(settings)
    shards = settings.int(
      "shards", in: 1...256, default: 16,
      "Mailboxes of a venue; a symbol's events are always in the same one, by its hash.")
    mailboxMax = settings.int(
      "mailbox_max", in: 16...1_000_000, default: 4_096, unit: "events",
      "Events that wait in one mailbox; at the limit the venue's stream is held back.")
    requestTimeout = settings.duration(
      "request_timeout", in: .milliseconds(10)...(.seconds(60)), default: .seconds(2),
      "A venue that has not answered a request by then is silent.")
    orderRateMax = settings.int(
      "order_rate_max", in: 0...1_000_000, default: 0, unit: "orders",
      "Orders in a venue's interval; 0: as the venue documents, and 10000 at the simulator.")
    requestWeightMax = settings.int(
      "request_weight_max", in: 0...10_000_000, default: 0, unit: "weight",
      "Request weight a minute; 0: as the venue documents, and 60000 at the simulator.")
    readerQueueMax = settings.int(
      "reader_queue_max", in: 16...1_000_000, default: 4_096, unit: "events",
      "Events that wait for one reader; at the limit the venue's stream is held back.")
    readersMax = settings.int(
      "readers_max", in: 1...100_000, default: 1_000, unit: "streams",
      "More streams are refused with RESOURCE_EXHAUSTED.")
    slowReaderWait = settings.duration(
      "slow_reader_wait", in: .milliseconds(1)...(.seconds(300)), default: .seconds(5),
      "A full reader that took nothing for so long is ended; until then it holds the venue back.")
    krakenBooksByOrder = settings.bool(
      "kraken_books_by_order", default: false,
      "Kraken's books are built from its single orders, whose queues its checksum covers too.")
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
    venueActions = Self.venueActions(settings)
  }

  private static func closures(
    _ settings: SettingsReader
  ) -> [String: [TradingHours.Closure]] {
    let texts = settings.list(
      "closures", maximum: 100, default: [],
      "Announced maintenance: venue, from/to in RFC 3339, and why; orders are MARKET_CLOSED then.")
    var closures: [String: [TradingHours.Closure]] = [:]
    for text in texts {
      let words = text.split(separator: " ", maxSplits: 2).map(String.init)
      let ends = words.count == 3 ? words[1].split(separator: "/").map { Instant(rfc3339: $0) } : []
      guard ends.count == 2, let from = ends[0], let to = ends[1], from < to else {
        settings.check(
          false,
          "closures has \(text), not: binance 2026-01-31T08:00:00Z/2026-01-31T09:00:00Z why")
        continue
      }
      settings.check(
        KnownVenue(rawValue: words[0]) != nil, "closures has \(words[0]): no such venue is known")
      closures[words[0], default: []].append(TradingHours.Closure(from..<to, words[2]))
    }
    return closures
  }

  private static func venueActions(
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

  /// What a venue's data must keep to.
  func quality(of venue: KnownVenue) -> QualityLimits {
    var limits = quality
    limits.actions.merge(venueActions[venue.rawValue] ?? [:]) { _, own in own }
    return limits
  }

  /// When the venue takes orders.
  func hours(of venue: KnownVenue) -> TradingHours {
    var hours = venue.registration.hours
    hours.closures += closures[venue.rawValue] ?? []
    return hours
  }

  private static func sites(_ settings: SettingsReader) -> [KnownVenue: VenueSite] {
    var sites: [KnownVenue: VenueSite] = [:]
    for venue in KnownVenue.allCases {
      // Settings have no dashes.
      let name = venue.rawValue.map { $0 == "-" ? "_" : "\($0)" }.joined()
      sites[venue] = VenueSite(
        symbols: settings.list(
          "\(name)_symbols", maximum: 1_000, default: venue.symbolsStandard,
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
      limits.actions[check] = settings.choice(
        "quality_\(check.name)_action", default: standard.action(of: check),
        "What is done when the check \(check.name) fails.")
    }
    return limits
  }
}
