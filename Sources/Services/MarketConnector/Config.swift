internal import Chrono
internal import MarketQuality
package import ServiceKit
internal import SharedRing
internal import Units
internal import Venue
internal import Venues

package struct Config: ServiceSettings {
  let venues: [KnownVenue]
  /// By venue.
  let sites: [KnownVenue: VenueSite]
  let shadowOnly: Set<String>
  private let schedule: VenueSchedule
  private let tiers: LiquidityTiers
  private let breakers: [KnownVenue: CircuitBreaker.Limits]
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
  let ticks: TickRingSettings
  let healthWindow: Duration
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

    /// It leads to the simulator, or at least to no exchange.
    var isThisMachine: Bool {
      let parts = restURL.split(separator: "/")
      guard parts.count > 1 else { return true }
      if parts[1].hasPrefix("[::1]") { return true }
      let host = parts[1].prefix { $0 != ":" }
      return host == "localhost" || host.hasPrefix("127.")
    }
  }

  package init(_ settings: SettingsReader) {
    venues = Self.venues(settings)
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
    schedule = VenueSchedule(settings)
    tiers = LiquidityTiers(settings)
    breakers = Self.breakers(settings)
    healthWindow = settings.duration(
      "health_window", in: .seconds(1)...(.seconds(600)), default: .seconds(60),
      "Error rate and average latency of requests are taken over it.")
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
    ticks = TickRingSettings(settings)
    makerFeeBps = settings.int(
      "maker_fee_bps", in: 0...1_000, default: 10, unit: "basis points",
      "The maker fee of our account, for display.")
    takerFeeBps = settings.int(
      "taker_fee_bps", in: 0...1_000, default: 10, unit: "basis points",
      "The taker fee of our account, for display.")
    quality = Self.quality(settings)
    venueActions = Self.venueActions(settings)
  }

  private static func venues(_ settings: SettingsReader) -> [KnownVenue] {
    let names = settings.list(
      "venues", maximum: 16, default: ["binance", "kraken", "okx"],
      "Venues to connect: " + KnownVenue.allCases.map(\.rawValue).joined(separator: ", ") + ".")
    for name in names {
      settings.check(
        KnownVenue(rawValue: name) != nil, "venues has \(name), and no such venue is known")
    }
    return names.compactMap(KnownVenue.init(rawValue:))
  }

  /// What a venue's data must keep to.
  func quality(of venue: KnownVenue) -> QualityLimits {
    var limits = quality
    limits.actions.merge(venueActions[venue.rawValue] ?? [:]) { _, own in own }
    return limits
  }

  /// When the venue takes orders.
  func hours(of venue: KnownVenue) -> TradingHours {
    schedule.hours(of: venue.rawValue, standard: venue.registration.hours)
  }

  /// How deep a venue's market is, or one of its symbols.
  func tier(of venue: KnownVenue, _ symbol: String? = nil) -> LiquidityTier {
    tiers.tier(of: venue.rawValue, symbol) ?? venue.registration.tier
  }

  func breaker(of venue: KnownVenue) -> CircuitBreaker.Limits {
    breakers[venue] ?? CircuitBreaker.Limits()
  }

  /// No order goes there: it has no private stream, or the settings say so.
  func isShadowOnly(_ venue: KnownVenue) -> Bool {
    !venue.registration.hasPrivateStream || shadowOnly.contains(venue.rawValue)
  }

  /// Where orders for the venue end.
  func mode(of venue: KnownVenue) -> VenueMode {
    if sites[venue]?.isThisMachine != false { return .simulated }
    return isShadowOnly(venue) ? .shadow : .production
  }

  /// Of ours in place of the venue's: the simulator's are wider, for all of a machine are one client there.
  func ownLimits(of venue: KnownVenue) -> OwnLimits {
    let isSimulator = sites[venue]?.restURL.isEmpty != false
    return OwnLimits(
      requestWeightMax: requestWeightMax > 0 ? requestWeightMax : isSimulator ? 60_000 : nil,
      orderRateMax: orderRateMax > 0 ? orderRateMax : isSimulator ? 10_000 : nil)
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
}

/// Where orders for a venue end.
enum VenueMode: String {
  case simulated
  /// The exchange is followed, and not traded at.
  case shadow
  case production
}
