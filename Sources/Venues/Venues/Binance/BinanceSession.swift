internal import Chrono
internal import JSON
internal import Loop
internal import Security
internal import Telemetry
internal import Transport
internal import Venue

/// Binance as a venue: REST for orders and recovery, public WebSockets as many as its streams need,
/// and for spot a private one. Futures have market data only.
final class BinanceSession: VenueSession {
  let venue: VenueID
  let counters: VenueCounters
  let orders: any VenueOrderEntry

  private let exchange: BinanceMarket
  private let settings: VenueSettings
  private let rest: BinanceREST
  private let instruments = InstrumentDirectory()
  private let tls: TLSContext
  private let loop: EventLoop
  private let time: any TimeSource
  private let log: Log
  private let streams: SessionStreams
  private let alarm: RowAlarm

  /// The venue's time is asked for so often before anything is signed, and then once in a while;
  /// the shortest round trip counts.
  private static let clockSamples = 3

  init(
    _ known: KnownVenue, _ exchange: BinanceMarket, _ settings: VenueSettings, loop: EventLoop,
    time: any TimeSource, log: Log,
    metrics: MetricsRegistry
  ) throws(VenueError) {
    venue = known.id
    self.exchange = exchange
    self.settings = settings
    self.loop = loop
    self.time = time
    self.log = log
    do throws(TLSError) {
      tls = try .client(nil, trust: settings.trust, alpn: .http11)
    } catch {
      throw VenueError(.venueUnavailable, error.description)
    }
    counters = VenueCounters(metrics, venue: known.rawValue)
    alarm = RowAlarm(known.id, counters, log)
    rest = BinanceREST(
      exchange, settings,
      http: VenueHTTP(
        settings, loop: loop, log: log,
        counters: counters), loop: loop, time: time)
    streams = SessionStreams(loop, clock: rest, log: log)
    if exchange != .spot {
      orders = MarketDataOnly("\(known.rawValue) is followed for its market data only")
    } else if settings.apiKey.isEmpty {
      orders = MarketDataOnly.withoutKey(known)
    } else {
      orders = BinanceOrderEntry(settings, rest: rest, instruments: instruments, alarm)
    }
  }

  var clockOffset: Duration? { rest.clockOffset }
  var vitals: SessionVitals { rest.vitals }

  func resynchronise(_ instrument: InstrumentID, reason: String) {
    streams.resynchronise(instrument, reason: reason)
  }

  func loadInstruments() async throws(VenueError) -> [Instrument] {
    do throws(VenueFailure) {
      for _ in 0..<Self.clockSamples { try await rest.compareClocks() }
      // All of them: asking for chosen symbols is refused whole when one is not listed.
      let body = try await rest.body("GET", "\(exchange.restPath)/exchangeInfo", [], .open)
      do throws(JSONError) {
        instruments.set(
          try BinanceSymbols.instruments(
            body, exchange, symbols: settings.symbols, venue: venue))
      } catch {
        throw VenueFailure.definite(.venueUnavailable, text: "exchangeInfo: \(error)")
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
      let market = feeds().map { feed in
        PublicStream(
          feed, settings, rest: rest, tls: tls, loop: loop, time: time, log: log,
          counters: counters, hearer: hearMarket)
      }
      // Without a key there is no account.
      guard exchange == .spot, !settings.apiKey.isEmpty else { return (market, nil) }
      return (
        market,
        PrivateStream(
          BinanceAccountFeed(instruments, alarm), settings, door: rest, orders: orders, tls: tls,
          loop: loop, time: time, log: log, counters: counters, hearer: hearAccount)
      )
    }
  }

  func stop() async { await streams.stop() }

  /// Instruments in as many connections as their streams need. Ids are places in the whole list,
  /// which every feed has; it follows its own share.
  private func feeds() -> [BinanceFeed] {
    let all = instruments.all
    let share = exchange.streamsMax / exchange.streams.count
    return stride(from: 0, to: all.count, by: share).map { start in
      BinanceFeed(
        exchange, all, following: start..<min(all.count, start + share),
        depthMax: settings.depthMax)
    }
  }
}
