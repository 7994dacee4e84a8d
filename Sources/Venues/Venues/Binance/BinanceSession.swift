internal import Chrono
internal import JSON
internal import Loop
internal import Security
internal import Telemetry
internal import Transport
internal import Venue

/// Binance spot as a venue: REST for orders and recovery, one public and one private WebSocket.
///
/// `@unchecked Sendable`: the streams are made and dropped on the loop only; the rest is immutable.
final class BinanceSession: VenueSession, @unchecked Sendable {
  let venue = KnownVenue.binance.id
  let counters: VenueCounters
  let orders: any VenueOrderEntry

  private let settings: VenueSettings
  private let rest: BinanceREST
  private let instruments = BinanceInstruments()
  private let tls: TLSContext
  private let loop: EventLoop
  private let time: any TimeSource
  private let log: Log
  private var market: BinanceMarketData?
  private var account: BinancePrivateStream?

  init(
    _ settings: VenueSettings, loop: EventLoop, time: any TimeSource, log: Log,
    metrics: MetricsRegistry
  ) throws(VenueError) {
    self.settings = settings
    self.loop = loop
    self.time = time
    self.log = log
    do throws(TLSError) {
      tls = try .client(nil, trust: settings.trust, alpn: .http11)
    } catch {
      throw VenueError(.venueUnavailable, error.description)
    }
    counters = VenueCounters(metrics, venue: KnownVenue.binance.rawValue)
    rest = BinanceREST(
      settings, client: HTTPClient(loop: loop, trust: settings.trust), time: time,
      counters: counters)
    orders = BinanceOrderEntry(settings, rest: rest, instruments: instruments)
  }

  func loadInstruments() async throws(VenueError) -> [Instrument] {
    do throws(BinanceFailure) {
      try await rest.compareClocks()
      // All of them: asking for chosen symbols is refused whole when one is not listed.
      let body = try await rest.body("GET", "/api/v3/exchangeInfo", [], .open)
      do throws(JSONError) {
        instruments.set(
          try BinanceSymbols.instruments(body, symbols: settings.symbols, venue: venue))
      } catch {
        throw BinanceFailure.definite(.venueUnavailable, text: "exchangeInfo: \(error)")
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
    await withCheckedContinuation { continuation in
      loop.onLoop { [self] in
        precondition(market == nil, "the session has been started already")
        let market = BinanceMarketData(
          settings, rest: rest, instruments: instruments.all, tls: tls, loop: loop, time: time,
          log: log, hearer: hearMarket)
        let account = BinancePrivateStream(
          settings, rest: rest, instruments: instruments, tls: tls, loop: loop, log: log,
          hearer: hearAccount)
        self.market = market
        self.account = account
        account.start()
        market.start()
        continuation.resume()
      }
    }
  }

  func stop() async {
    await withCheckedContinuation { continuation in
      loop.onLoop { [self] in
        let (market, account) = (self.market, self.account)
        self.market = nil
        self.account = nil
        loop.spawn {
          await market?.stop()
          await account?.stop()
          continuation.resume()
        }
      }
    }
  }
}
