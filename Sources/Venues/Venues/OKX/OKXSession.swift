internal import Chrono
internal import JSON
internal import Loop
internal import Security
internal import Telemetry
internal import Transport
internal import Venue

/// OKX as a venue: REST for orders and recovery, public WebSockets as many as its instruments need,
/// and a private one when there is a key.
final class OKXSession: VenueSession {
  let venue: VenueID
  let counters: VenueCounters
  let orders: any VenueOrderEntry

  private let settings: VenueSettings
  private let channels: OKXChannels
  private let rest: OKXREST
  private let instruments = InstrumentDirectory()
  private let tls: TLSContext
  private let loop: EventLoop
  private let time: any TimeSource
  private let log: Log
  private let streams: SessionStreams
  private let alarm: RowAlarm

  /// Instruments on one connection: three topics each, so that all are asked for within seconds.
  private static let instrumentsPerStream = 100

  init(
    _ known: KnownVenue, _ settings: VenueSettings, loop: EventLoop, time: any TimeSource,
    log: Log, metrics: MetricsRegistry
  ) throws(VenueError) {
    venue = known.id
    self.settings = settings
    channels = settings.isTickByTick ? OKXChannels(book: .booksTick, top: .bestTick) : OKXChannels()
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
    rest = OKXREST(
      settings,
      http: VenueHTTP(
        settings, loop: loop, log: log,
        counters: counters), loop: loop, time: time)
    streams = SessionStreams(loop, clock: rest, log: log)
    orders =
      settings.apiKey.isEmpty
      ? MarketDataOnly.withoutKey(known)
      : OKXOrderEntry(settings, rest: rest, instruments: instruments, alarm)
  }

  var clockOffset: Duration? { rest.clockOffset }
  var vitals: SessionVitals { rest.vitals }

  func resynchronise(_ instrument: InstrumentID, reason: String) {
    streams.resynchronise(instrument, reason: reason)
  }

  func loadInstruments() async throws(VenueError) -> [Instrument] {
    do throws(VenueFailure) {
      try await rest.compareClocks()
      var listed: [String: Instrument] = [:]
      for listing in Set(settings.symbols.map(OKXSymbols.listing)).sorted() {
        for instrument in try await list(listing) { listed[instrument.symbol] = instrument }
      }
      var found: [Instrument] = []
      for symbol in settings.symbols {
        guard var instrument = listed[symbol] else { continue }
        instrument.id = InstrumentID(Int32(found.count))
        found.append(instrument)
      }
      instruments.set(found)
      rest.limit(found)
      return found
    } catch {
      throw error.asVenueError
    }
  }

  private func list(_ query: String) async throws(VenueFailure) -> [Instrument] {
    let parameters = query.split(separator: "&").map { pair in
      let sides = pair.split(separator: "=").map(String.init)
      return (sides[0], sides[1])
    }
    let body = try await rest.get("/api/v5/public/instruments", parameters, isSigned: false)
    do throws(JSONError) {
      return try OKXSymbols.instruments(body, venue: venue)
    } catch {
      throw .definite(.venueUnavailable, text: "instruments: \(error)")
    }
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
      guard !settings.apiKey.isEmpty else { return (market, nil) }
      return (
        market,
        PrivateStream(
          OKXAccountFeed(instruments, alarm, login: login), settings, door: rest, orders: orders,
          tls: tls, loop: loop, time: time, log: log, counters: counters, hearer: hearAccount)
      )
    }
  }

  func stop() async { await streams.stop() }

  private func feeds() -> [OKXFeed] {
    let all = instruments.all
    return stride(from: 0, to: all.count, by: Self.instrumentsPerStream).map { start in
      OKXFeed(
        all, following: start..<min(all.count, start + Self.instrumentsPerStream),
        channels: channels, login: login)
    }
  }

  /// At a moment of ours, as the venue's clock tells it.
  private var login: @Sendable (Instant) -> [UInt8] {
    { [rest] in rest.signer.login(at: $0 + (rest.clockOffset ?? .zero)) }
  }
}
