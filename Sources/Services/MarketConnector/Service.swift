internal import Bytes
package import Calls
internal import Chrono
internal import Contracts
internal import JSON
internal import Loop
internal import Security
package import ServiceKit
internal import Telemetry
package import Venues

/// Sessions with venues: market data out, orders in, each venue in its own dialect.
package struct MarketConnector: ServiceDefinition {
  package static let name: ServiceName = "market-connector"
  package static let summary = "sessions with venues: market data, private streams, order entry"
  package static let needs: [ServiceName] = ["discovery", "auth"]

  private let context: ServiceContext
  private let links: [VenueLink]
  private let failed: [FailedVenue]
  private let notices: NoticeBoard
  private let ticks: TickOutlet
  private let hold: OrderHold
  package let methods: [ServerMethod]

  package init(_ context: ServiceContext, _ config: Config) throws {
    // What is left on the machine counts here too, also while nobody else lives.
    let (kill, held) = (KillMark(context.state), HoldMark(context.state))
    let hold = OrderHold { held.isFresh || kill.isThere }
    try self.init(context, config, hold) { venue in
      var settings = try Self.settings(venue, context, config)
      settings.hold = hold
      return try venue.session(
        settings, loop: context.loop, time: context.time, log: context.log,
        metrics: context.metrics)
    }
  }

  /// With sessions of somebody's choice.
  package init(
    _ context: ServiceContext, _ config: Config, _ hold: OrderHold = OrderHold(),
    session: (KnownVenue) throws -> any VenueSession
  ) throws {
    self.context = context
    self.hold = hold
    let notices = NoticeBoard(config)
    self.notices = notices
    try makeFolder(context.state.run)
    let ticks = TickOutlet(config, folder: context.state.run, context.metrics)
    self.ticks = ticks
    var (links, failed): ([VenueLink], [FailedVenue]) = ([], [])
    for venue in config.venues {
      do {
        links.append(
          VenueLink(venue, try session(venue), config, context, notices, ticks))
      } catch {
        failed.append(FailedVenue(known: venue, reason: errorText(error)))
      }
    }
    // Without any there is nothing to serve.
    guard !links.isEmpty || failed.isEmpty else {
      let reasons = failed.map { "\($0.venue): \($0.reason)" }.joined(separator: "; ")
      throw RPCError(.failedPrecondition, "no venue can be connected: \(reasons)")
    }
    (self.links, self.failed) = (links, failed)
    methods =
      Handlers(
        links: links, failed: failed, config: config, notices: notices, time: context.time
      ).methods
      + OrderHandlers(
        links: links, failed: failed, config: config, hold: hold, service: context
      ).methods
  }

  private static func settings(
    _ venue: KnownVenue, _ context: ServiceContext, _ config: Config
  ) throws -> VenueSettings {
    guard let site = config.sites[venue] else {
      throw RPCError(.failedPrecondition, "\(venue.rawValue) has no settings")
    }
    let simulator = context.ports.port(of: "venue-sim") ?? 0
    let key = try JSONDocument(parsing: readFile(context.state.simulatorKey)).root
    let authority = String(decoding: try readFile(context.state.authority), as: UTF8.self)
    var settings = VenueSettings(
      restURL: site.restURL.isEmpty ? "https://127.0.0.1:\(simulator)" : site.restURL,
      streamHost: site.streamHost,
      streamPort: site.streamPort == 0 ? simulator : site.streamPort,
      trust: .authorities(authority), apiKey: try key.string("apiKey"),
      secret: Array(try key.string("secretKey").utf8), symbols: site.symbols)
    switch venue {
    case .kraken:
      // Kraken gives its secrets in Base64, and takes no nonce twice, also after a restart.
      settings.secret = Array(Base64.standard.encode(settings.secret).utf8)
      let journal = context.state.journal(of: "market-connector")
      try makeFolder(journal, mode: 0o700)
      settings.nonces = NonceFile(path: journal + "/kraken.nonce")
      settings.isByOrder = config.krakenBooksByOrder
    case .okx: settings.passphrase = settings.apiKey
    case .binance, .binanceUSDM, .binanceCOINM: break
    }
    let own = config.ownLimits(of: venue)
    (settings.orderRateMax, settings.requestWeightMax) = (own.orderRateMax, own.requestWeightMax)
    settings.requestTimeout = config.requestTimeout
    settings.breaker = config.breaker(of: venue)
    return settings
  }

  /// How often the ring's writer says that it lives.
  private static let beatInterval = Duration.milliseconds(100)

  /// A ring that cannot be opened, as while the one before has it, stops nothing else: readers of
  /// other processes have the streams, and it is tried again.
  private func writeTicks() {
    guard ticks.isWanted else { return }
    context.spawn("write ticks") { [ticks, links, loop = context.loop] in
      try ticks.open()
      for link in links { await link.beginTicks() }
      while !Task.isCancelled {
        // Asked first: while one of them hangs, the ring's writer does not live.
        for link in links { await link.watchHold() }
        ticks.beat(loop.uptime)
        await loop.sleep(for: Self.beatInterval)
      }
    }
  }

  package func start() async throws {
    writeTicks()
    countHolds()
    let anyListed = context.readiness.require(
      "instruments", reason: "no venue has told its instruments yet")
    tellOfFailed()
    for link in links {
      let listed = context.readiness.require(
        "instruments of \(link.venue)", reason: "the venue has not answered", isNeeded: false)
      context.spawn("connect \(link.venue)") {
        do {
          try await link.load()
        } catch {
          listed.fail(errorText(error))
          throw error
        }
        anyListed.hold()
        await link.session.start(
          market: { await link.take($0) }, account: { await link.take($0) })
        listed.hold()
      }
      context.spawn("deliver \(link.venue)") { await link.deliver() }
      context.spawn("watch \(link.venue)") { [loop = context.loop] in
        while !Task.isCancelled {
          await loop.sleep(for: .seconds(1))
          await link.tick()
        }
      }
    }
  }

  private func countHolds() {
    context.metrics.gauge(
      "market_connector_orders_held", help: "1 while the kill switch keeps new orders here."
    ) { [hold, loop = context.loop] in hold.isClosed(at: loop.uptime) ? 1 : 0 }
  }

  private func tellOfFailed() {
    for venue in failed {
      context.log.error(
        "a venue cannot be connected",
        ["venue": .text(venue.venue), "reason": .text(venue.reason)])
      _ = context.readiness.require(
        "session of \(venue.venue)", reason: venue.reason, isNeeded: false)
      context.spawn("tell of \(venue.venue)") { [context, notices] in
        var sequence: UInt64 = 0
        while !Task.isCancelled {
          await context.loop.sleep(for: .seconds(1))
          sequence += 1
          notices.post(venue.notice(sequence, at: context.time.now))
        }
      }
    }
  }

  package func drain() async {
    ticks.close()
    notices.close()
    for link in links {
      await link.close()
      await link.session.stop()
      let reason = RPCError(.unavailable, "the market-connector is stopping")
      await link.market.close(reason)
      await link.reports.close(reason)
    }
  }
}
