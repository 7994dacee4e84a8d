internal import Calls
internal import Chrono
internal import Contracts
internal import Translation
internal import Units
internal import Venue
internal import Venues
internal import Wire

/// What is known of a venue: from its adapter, from the settings, and from itself.
extension Handlers {
  func venue(
    _ known: KnownVenue, _ instruments: [Instrument], settlesAfter: Duration = .zero,
    failure: String = ""
  ) -> MarketV1.Venue {
    let registered = known.registration
    let hours = config.hours(of: known)
    var venue = MarketV1.Venue()
    venue.venue = known.rawValue
    venue.failure = failure
    venue.mode = config.mode(of: known).rawValue
    venue.tier = config.tier(of: known).rawValue
    venue.symbols = instruments.map(\.symbol)
    venue.makerFeeBps = TypeV1.Decimal(Decimal(units: Int64(config.makerFeeBps), scale: 0))
    venue.takerFeeBps = TypeV1.Decimal(Decimal(units: Int64(config.takerFeeBps), scale: 0))
    venue.privateStream = registered.hasPrivateStream
    venue.policy = config.isShadowOnly(known) ? .shadowOnly : .production
    venue.rateLimits = known.limits(config.ownLimits(of: known)).map(MarketV1.RateLimit.init)
    venue.tradingHours = hours.words
    venue.open = hours.isOpen(at: time.now)
    venue.orderMatrix = orderMatrix(instruments)
    venue.settlesAfterMs = UInt64(max(0, settlesAfter.wholeNanoseconds / 1_000_000))
    return venue
  }

  /// An instrument as its venue tells it, with the settings' word on its depth.
  func instrument(
    _ instrument: Instrument, of venue: KnownVenue
  ) throws(RPCError) -> MarketV1.Instrument {
    var wire = try MarketV1.Instrument(instrument)
    wire.liquidityTier = config.tier(of: venue, instrument.symbol).rawValue
    wire.orderLimits = venue.orderLimits(config.ownLimits(of: venue)).map(MarketV1.OrderLimit.init)
    return wire
  }

  /// Which order goes with which time in force. A market order is done at once, so it is IOC.
  private func orderMatrix(_ instruments: [Instrument]) -> [MarketV1.OrderMatrixRow] {
    let limits: [(OrderFeatures, TypeV1.TimeInForce)] = [
      (.limit, .gtc), (.ioc, .ioc), (.fok, .fok), (.postOnly, .postOnly),
    ]
    let rows: [(OrderFeatures, TypeV1.OrderType, [TypeV1.TimeInForce])] = [
      (.market, .market, [.ioc]),
      (
        .limit, .limit,
        limits.filter { limit in instruments.contains { $0.features.contains(limit.0) } }.map(\.1)
      ),
    ]
    return rows.compactMap { feature, type, times in
      let without = instruments.filter { !$0.features.contains(feature) }
      guard without.count < instruments.count else { return nil }
      var row = MarketV1.OrderMatrixRow()
      row.type = type
      row.timesInForce = times
      row.symbolsWithout = without.map(\.symbol)
      return row
    }
  }
}

extension MarketV1.RateLimit {
  init(_ limit: RequestLimit) {
    self.init()
    name = limit.name
    max = UInt32(clamping: limit.max)
    if case .window(let window) = limit.rule {
      windowSeconds = UInt32(clamping: window.components.seconds)
    }
  }
}
