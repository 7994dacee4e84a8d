internal import Bytes
package import Calls
internal import Contracts
internal import JSON
internal import Loop
internal import Security
package import ServiceKit
internal import Telemetry
internal import Venues

/// Sessions with venues: market data out, orders in, each venue in its own dialect.
package struct MarketConnector: ServiceDefinition {
  package static let name: ServiceName = "market-connector"
  package static let summary = "sessions with venues: market data, private streams, order entry"
  package static let needs: [ServiceName] = ["discovery", "auth"]

  private let context: ServiceContext
  private let links: [VenueLink]
  private let notices: NoticeBoard
  package let methods: [ServerMethod]

  package init(_ context: ServiceContext, _ config: Config) throws {
    self.context = context
    let notices = NoticeBoard(config)
    self.notices = notices
    links = try config.venues.map { venue in
      let session = try venue.session(
        Self.settings(venue, context, config), loop: context.loop, time: context.time,
        log: context.log, metrics: context.metrics)
      return VenueLink(venue, session, config, context, notices)
    }
    methods =
      Handlers(links: links, config: config, notices: notices).methods
      + OrderHandlers(links: links, config: config, time: context.time).methods
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
    // The simulator's limits are wider: all of a machine are one client there.
    let isSimulator = site.restURL.isEmpty
    settings.orderRateMax =
      config.orderRateMax > 0 ? config.orderRateMax : isSimulator ? 10_000 : nil
    settings.requestWeightMax =
      config.requestWeightMax > 0 ? config.requestWeightMax : isSimulator ? 60_000 : nil
    settings.requestTimeout = config.requestTimeout
    return settings
  }

  package func start() async throws {
    for link in links {
      let listed = context.readiness.require(
        "instruments of \(link.venue)", reason: "the venue has not answered")
      context.spawn("connect \(link.venue)") {
        do {
          try await link.load()
        } catch {
          listed.fail(errorText(error))
          throw error
        }
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

  package func drain() async {
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
