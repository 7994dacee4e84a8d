internal import Bytes
internal import Chrono
internal import JSON
internal import Loop
internal import Security
internal import Telemetry
internal import Transport
internal import Venue

/// Kraken's spot market as a venue: REST for orders and recovery, one public and one private
/// WebSocket of version 2.
final class KrakenSession: VenueSession {
  let venue = KnownVenue.kraken.id
  let counters: VenueCounters
  let orders: any VenueOrderEntry

  private let settings: VenueSettings
  private let rest: KrakenREST
  private let token: KrakenToken
  private let instruments = InstrumentDirectory()
  private let tls: TLSContext
  private let loop: EventLoop
  private let time: any TimeSource
  private let log: Log
  private let streams: SessionStreams
  private let alarm: RowAlarm

  /// The secret is the Base64 text that Kraken gives out.
  init(
    _ settings: VenueSettings, loop: EventLoop, time: any TimeSource, log: Log,
    metrics: MetricsRegistry
  ) throws(VenueError) {
    self.settings = settings
    self.loop = loop
    self.time = time
    self.log = log
    let secret: [UInt8]
    do throws(Base64Error) {
      secret = try Base64.standard.decode(settings.secret)
    } catch {
      throw VenueError(.venuePolicy, "secret: not the Base64 that Kraken gives out (\(error))")
    }
    do throws(TLSError) {
      tls = try .client(nil, trust: settings.trust, alpn: .http11)
    } catch {
      throw VenueError(.venueUnavailable, error.description)
    }
    counters = VenueCounters(metrics, venue: KnownVenue.kraken.rawValue)
    alarm = RowAlarm(KnownVenue.kraken.id, counters, log)
    do throws(NonceStoreError) {
      rest = try KrakenREST(
        settings, secret: secret,
        http: VenueHTTP(
          settings, loop: loop, log: log,
          counters: counters), loop: loop, time: time)
    } catch {
      throw VenueError(.venueUnavailable, "nonces: \(error)")
    }
    guard !settings.isByOrder || !settings.apiKey.isEmpty else {
      throw VenueError(.venuePolicy, "isByOrder: Kraken gives books by orders to a key only")
    }
    token = KrakenToken(rest)
    orders =
      settings.apiKey.isEmpty
      ? MarketDataOnly.withoutKey(.kraken)
      : KrakenOrderEntry(settings, rest: rest, instruments: instruments, alarm)
    streams = SessionStreams(loop, clock: rest, log: log)
  }

  var clockOffset: Duration? { rest.clockOffset }
  var vitals: SessionVitals { rest.vitals }

  func resynchronise(_ instrument: InstrumentID, reason: String) {
    streams.resynchronise(instrument, reason: reason)
  }

  func loadInstruments() async throws(VenueError) -> [Instrument] {
    do throws(VenueFailure) {
      try await rest.compareClocks()
      let body = try await rest.publicBody("/0/public/AssetPairs")
      do throws(JSONError) {
        instruments.set(
          try KrakenPairs.instruments(body, symbols: settings.symbols, venue: venue))
      } catch {
        throw VenueFailure.definite(.venueUnavailable, text: "AssetPairs: \(error)")
      }
    } catch {
      throw error.asVenueError
    }
    return instruments.all
  }

  func start(
    market hearMarket: @escaping @Sendable (MarketEvent) async -> Void,
    account hearAccount: @escaping @Sendable (PrivateEvent) async -> Void
  ) async {
    await streams.start { [self] in
      let market = feeds().map { stream($0, hearMarket) }
      guard !settings.apiKey.isEmpty else { return (market, nil) }
      return (
        market,
        PrivateStream(
          KrakenAccountFeed(instruments, alarm, host: privateHost), settings, door: rest,
          orders: orders,
          tls: tls, loop: loop, time: time, log: log, counters: counters, hearer: hearAccount)
      )
    }
  }

  func stop() async { await streams.stop() }

  private var privateHost: String? {
    if let host = settings.privateStreamHost { return host }
    return settings.streamHost == "ws.kraken.com" ? "ws-auth.kraken.com" : nil
  }

  private func stream(
    _ feed: KrakenFeed, _ hearer: @escaping @Sendable (MarketEvent) async -> Void
  ) -> PublicStream {
    guard feed.channels.isByOrder else {
      return PublicStream(
        feed, settings, rest: rest, tls: tls, loop: loop, time: time, log: log,
        counters: counters, hearer: hearer)
    }
    return PublicStream(
      feed, settings, host: ordersHost, rest: rest, tls: tls, loop: loop, time: time, log: log,
      counters: counters,
      prepare: { [token] () async throws(VenueError) in try await token.renew() }, hearer: hearer)
  }

  /// Symbols of one connection's books by orders, as documented.
  private static let ordersPerStream = 200

  private func feeds() -> [KrakenFeed] {
    let all = instruments.all
    guard settings.isByOrder else { return [KrakenFeed(all, depth: settings.depthMax)] }
    let books = stride(from: 0, to: all.count, by: Self.ordersPerStream).map { start in
      KrakenFeed(
        Array(all[start..<min(all.count, start + Self.ordersPerStream)]),
        depth: settings.depthMax, channels: .orders(token: { [token] in token.text }))
    }
    return [KrakenFeed(all, channels: .withoutBooks)] + books
  }

  private var ordersHost: String {
    settings.streamHost == "ws.kraken.com" ? "ws-l3.kraken.com" : settings.streamHost
  }
}
