package import Calls
internal import Contracts
internal import JSON
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
  package let methods: [ServerMethod]

  package init(_ context: ServiceContext, _ config: Config) throws {
    self.context = context
    links = try [KnownVenue.binance].map { venue in
      let session = try venue.session(
        Self.settings(context, config), loop: context.loop, time: context.time, log: context.log,
        metrics: context.metrics)
      return VenueLink(session, config, context)
    }
    methods =
      Handlers(links: links, config: config).methods + OrderHandlers(links: links).methods
  }

  private static func settings(
    _ context: ServiceContext, _ config: Config
  ) throws -> VenueSettings {
    let simulator = context.ports.port(of: "venue-sim") ?? 0
    let key = try JSONDocument(parsing: readFile(context.state.simulatorKey)).root
    let authority = String(decoding: try readFile(context.state.authority), as: UTF8.self)
    var settings = VenueSettings(
      restURL: config.restURL.isEmpty ? "https://127.0.0.1:\(simulator)" : config.restURL,
      streamHost: config.streamHost,
      streamPort: config.streamPort == 0 ? simulator : config.streamPort,
      trust: .authorities(authority), apiKey: try key.string("apiKey"),
      secret: Array(try key.string("secretKey").utf8), symbols: config.symbols)
    settings.requestTimeout = config.requestTimeout
    return settings
  }

  package func start() async throws {
    for link in links {
      let listed = context.readiness.require(
        "instruments of \(link.venue)", reason: "the venue has not answered")
      context.spawn("connect \(link.venue)") {
        try await link.load()
        await link.session.start(
          market: { await link.take($0) }, account: { await link.take($0) })
        listed.hold()
      }
    }
  }

  package func drain() async {
    for link in links {
      await link.session.stop()
      let reason = RPCError(.unavailable, "the market-connector is stopping")
      await link.market.close(reason)
      await link.reports.close(reason)
    }
  }
}
