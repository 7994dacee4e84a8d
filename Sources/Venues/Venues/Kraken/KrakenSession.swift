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
///
/// `@unchecked Sendable`: the streams are made and dropped on the loop only; the rest is immutable.
final class KrakenSession: VenueSession, @unchecked Sendable {
  let venue = KnownVenue.kraken.id
  let counters: VenueCounters
  var orders: any VenueOrderEntry { entry }

  private let settings: VenueSettings
  private let rest: KrakenREST
  private let entry: KrakenOrderEntry
  private let instruments = InstrumentDirectory()
  private let tls: TLSContext
  private let loop: EventLoop
  private let time: any TimeSource
  private let log: Log
  private var market: PublicStream?
  private var account: KrakenPrivateStream?
  private var clockCheck: Task<Void, Never>?

  /// How often the venue is asked for its time.
  private static let clockInterval = Duration.seconds(30)

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
    do throws(NonceStoreError) {
      rest = try KrakenREST(
        settings, secret: secret, client: HTTPClient(loop: loop, trust: settings.trust),
        loop: loop, time: time, counters: counters)
    } catch {
      throw VenueError(.venueUnavailable, "nonces: \(error)")
    }
    entry = KrakenOrderEntry(settings, rest: rest, instruments: instruments)
  }

  var clockOffset: Duration? { rest.clockOffset }

  func loadInstruments() async throws(VenueError) -> [Instrument] {
    do throws(KrakenFailure) {
      try await rest.compareClocks()
      let body = try await rest.publicBody("/0/public/AssetPairs")
      do throws(JSONError) {
        instruments.set(
          try KrakenPairs.instruments(body, symbols: settings.symbols, venue: venue))
      } catch {
        throw KrakenFailure.definite(.venueUnavailable, text: "AssetPairs: \(error)")
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
        let market = PublicStream(
          KrakenFeed(instruments.all, depth: settings.depthMax), settings, rest: rest, tls: tls,
          loop: loop, time: time, log: log, counters: counters, hearer: hearMarket)
        self.market = market
        if !settings.apiKey.isEmpty {
          account = KrakenPrivateStream(
            settings, rest: rest, orders: entry, instruments: instruments, tls: tls, loop: loop,
            time: time, log: log, hearer: hearAccount)
        }
        account?.start()
        market.start()
        clockCheck = loop.spawn { [self] in await compareClocks() }
        continuation.resume()
      }
    }
  }

  func stop() async {
    await withCheckedContinuation { continuation in
      loop.onLoop { [self] in
        let (market, account, clockCheck) = (self.market, self.account, self.clockCheck)
        self.market = nil
        self.account = nil
        self.clockCheck = nil
        clockCheck?.cancel()
        loop.spawn {
          await market?.stop()
          await account?.stop()
          await clockCheck?.value
          continuation.resume()
        }
      }
    }
  }

  private func compareClocks() async {
    while !Task.isCancelled {
      await loop.sleep(for: Self.clockInterval)
      if Task.isCancelled { return }
      do throws(KrakenFailure) {
        try await rest.compareClocks()
      } catch {
        log.warning("the venue did not tell its time", ["error": .text("\(error)")])
      }
    }
  }
}
