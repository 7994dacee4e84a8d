package import Chrono
package import Loop
package import Security
package import Telemetry
package import Venue

/// How to reach a venue, and as whom.
package struct VenueSettings: Sendable {
  /// `https://api.binance.com`, without a slash at its end.
  package var restURL: String
  package var streamHost: String
  package var streamPort: Int
  /// Whose certificates are trusted.
  package var trust: Trust
  package var apiKey: String
  package var secret: [UInt8]
  /// What the key was made with besides its secret (OKX); empty for others.
  package var passphrase = ""
  /// Books and best prices tick by tick, where the venue gives them to accounts that trade enough (OKX).
  package var isTickByTick = false
  /// Books by orders, where the venue gives them to whoever has a key (Kraken).
  package var isByOrder = false
  /// Symbols to connect, in our spelling.
  package var symbols: [String]
  /// For one request, from sending to the last byte of its answer.
  package var requestTimeout = Duration.seconds(5)
  /// How long after its timestamp the venue may still take a signed request.
  package var receiveWindow = Duration.seconds(5)
  /// Levels a side of a snapshot.
  package var depthMax = 1_000
  /// A stream without a single frame for this long is dead, whatever the socket says.
  package var silenceMax = Duration.seconds(30)
  /// Our own bound on request weight a minute and on orders in the venue's interval; nil: the venue's.
  package var requestWeightMax: Int?
  package var orderRateMax: Int?
  /// The door that closes with the kill switch.
  package var hold = OrderHold()
  /// When requests are held back because too many fail.
  package var breaker = CircuitBreaker.Limits()
  /// Where nonces survive a restart, at venues that have them; nil: they begin at the clock.
  package var nonces: (any NonceStore)?
  /// Of the private stream, where it is another host; nil: the venue's own, or `streamHost`.
  package var privateStreamHost: String?
  /// Everything that the public streams say is written there too.
  package var recorder: FrameRecorder?
  /// Rows of the private stream that cannot be read make hearers ask for what they missed so often at most.
  package var missedInterval = Duration.seconds(5)
  package var reconnectMin = Duration.milliseconds(100)
  package var reconnectMax = Duration.seconds(10)

  package var ownLimits: OwnLimits {
    OwnLimits(requestWeightMax: requestWeightMax, orderRateMax: orderRateMax)
  }

  package init(
    restURL: String, streamHost: String, streamPort: Int, trust: Trust, apiKey: String,
    secret: [UInt8], symbols: [String]
  ) {
    self.restURL = restURL
    self.streamHost = streamHost
    self.streamPort = streamPort
    self.trust = trust
    self.apiKey = apiKey
    self.secret = secret
    self.symbols = symbols
  }
}

/// The venues that there is an adapter for: the one list.
package enum KnownVenue: String, Sendable, CaseIterable {
  case binance
  case binanceUSDM = "binance-usdm"
  case binanceCOINM = "binance-coinm"
  case kraken
  case okx

  package var id: VenueID { VenueID(rawValue) }

  /// Where the exchange itself is.
  package var exchange: VenueAddress {
    switch self {
    case .binance:
      VenueAddress(
        restURL: "https://api.binance.com", streamHost: "stream.binance.com", streamPort: 9443)
    case .binanceUSDM:
      VenueAddress(
        restURL: "https://fapi.binance.com", streamHost: "fstream.binance.com", streamPort: 443)
    case .binanceCOINM:
      VenueAddress(
        restURL: "https://dapi.binance.com", streamHost: "dstream.binance.com", streamPort: 443)
    case .kraken:
      VenueAddress(
        restURL: "https://api.kraken.com", streamHost: "ws.kraken.com", streamPort: 443)
    case .okx:
      VenueAddress(restURL: "https://www.okx.com", streamHost: "ws.okx.com", streamPort: 8443)
    }
  }

  /// What is followed there when nothing else is said.
  package var symbolsStandard: [String] {
    switch self {
    case .binance, .binanceUSDM, .okx: ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    case .binanceCOINM: ["BTCUSD_PERP", "ETHUSD_PERP"]
    case .kraken: ["BTCUSD", "ETHUSD", "SOLUSD", "BTCUSDT", "ETHUSDT"]
    }
  }

  /// The simulator speaks its dialect.
  package var isSimulated: Bool {
    switch self {
    case .binance, .kraken, .okx: true
    case .binanceUSDM, .binanceCOINM: false
    }
  }

  /// What the registry knows of the venue before it is asked.
  package var registration: VenueRegistration {
    switch self {
    case .binance:
      VenueRegistration(tier: .a, hasPrivateStream: true, limits: BinanceMarket.spot.limits())
    case .binanceUSDM:
      VenueRegistration(tier: .a, hasPrivateStream: false, limits: BinanceMarket.usdm.limits())
    case .binanceCOINM:
      VenueRegistration(tier: .b, hasPrivateStream: false, limits: BinanceMarket.coinm.limits())
    case .kraken:
      VenueRegistration(tier: .b, hasPrivateStream: true, limits: KrakenLimits.registered)
    case .okx: VenueRegistration(tier: .a, hasPrivateStream: true, limits: OKXLimits.registered)
    }
  }

  /// The registered limits with our own in their place.
  package func limits(_ own: OwnLimits) -> [RequestLimit] {
    switch self {
    case .binance:
      BinanceMarket.spot.limits(weightMax: own.requestWeightMax, orderMax: own.orderRateMax)
    case .binanceUSDM: BinanceMarket.usdm.limits(weightMax: own.requestWeightMax)
    case .binanceCOINM: BinanceMarket.coinm.limits(weightMax: own.requestWeightMax)
    case .kraken: KrakenLimits.limits(KrakenLimits.Settings(own))
    case .okx: OKXLimits.limits(own)
    }
  }

  /// How many new orders the venue takes.
  package func orderLimits(_ own: OwnLimits) -> [OrderLimit] {
    switch self {
    case .binance:
      limits(own).filter { $0.name == BinanceMarket.orderLimit }
        .map { OrderLimit($0, unit: 1, isPerInstrument: false) }
    case .binanceUSDM, .binanceCOINM: []
    case .kraken: KrakenLimits.orderLimits(KrakenLimits.Settings(own))
    case .okx: OKXLimits.orderLimits(own)
    }
  }

  /// A session that lives on `loop`. Nothing is connected yet.
  package func session(
    _ settings: VenueSettings, loop: EventLoop, time: any TimeSource, log: Log,
    metrics: MetricsRegistry
  ) throws(VenueError) -> any VenueSession {
    func binance(_ market: BinanceMarket) throws(VenueError) -> any VenueSession {
      try BinanceSession(
        self, market, settings, loop: loop, time: time, log: log, metrics: metrics)
    }
    switch self {
    case .binance: return try binance(.spot)
    case .binanceUSDM: return try binance(.usdm)
    case .binanceCOINM: return try binance(.coinm)
    case .kraken:
      return try KrakenSession(settings, loop: loop, time: time, log: log, metrics: metrics)
    case .okx:
      return try OKXSession(self, settings, loop: loop, time: time, log: log, metrics: metrics)
    }
  }
}

/// Where a venue's REST and its public streams are.
package struct VenueAddress: Sendable, Hashable {
  package var restURL: String
  package var streamHost: String
  package var streamPort: Int

  package init(restURL: String, streamHost: String, streamPort: Int) {
    self.restURL = restURL
    self.streamHost = streamHost
    self.streamPort = streamPort
  }
}

/// A venue's entry in the registry: what does not come from the venue itself.
package struct VenueRegistration: Sendable, Hashable {
  /// Until the settings say otherwise.
  package var tier: LiquidityTier
  /// It tells fills by a stream; without one, live orders are against policy.
  package var hasPrivateStream: Bool
  /// As the venue documents them.
  package var limits: [RequestLimit]
  /// Crypto venues never close but for maintenance, which they announce.
  package var hours: TradingHours

  package init(
    tier: LiquidityTier, hasPrivateStream: Bool, limits: [RequestLimit],
    hours: TradingHours = .always
  ) {
    self.tier = tier
    self.hasPrivateStream = hasPrivateStream
    self.limits = limits
    self.hours = hours
  }
}

/// Limits of our own in place of the venue's; nil for the venue's.
package struct OwnLimits: Sendable, Hashable {
  package var requestWeightMax: Int?
  package var orderRateMax: Int?

  package init(requestWeightMax: Int?, orderRateMax: Int?) {
    self.requestWeightMax = requestWeightMax
    self.orderRateMax = orderRateMax
  }
}

/// How deep a market is, in three steps: a person's judgement, not a measurement.
package enum LiquidityTier: String, Sendable, CaseIterable {
  case a = "A"
  case b = "B"
  case c = "C"
}
