internal import Chrono
internal import Loop
internal import Telemetry
internal import Units
internal import Venue
internal import Venues

/// A market-connector's session with an exchange of the storm: what an adapter does, with no dialect
/// and no sockets. Silence is unknown, and a stream that comes back says so.
///
/// `@unchecked Sendable`: touched on the scheduler's thread only.
final class EngineSession: VenueSession, @unchecked Sendable {
  let venue: VenueID
  let counters: VenueCounters
  let clockOffset: Duration? = .zero
  let vitals = SessionVitals()
  private let exchange: StormVenue
  private let loop: EventLoop
  private let timeout: Duration
  private var hear: (@Sendable (PrivateEvent) async -> Void)?
  private var inbox: [PrivateEvent] = []
  private var isTelling = false
  private var attempts = 0
  private var lastArrival = Uptime(nanoseconds: 0)
  /// As the venue listed its markets when this session began.
  private var listing = StormListing()

  init(_ exchange: StormVenue, _ loop: EventLoop, _ metrics: MetricsRegistry, timeout: Duration) {
    self.exchange = exchange
    self.loop = loop
    self.timeout = timeout
    venue = VenueID(exchange.name)
    counters = VenueCounters(metrics, venue: exchange.name)
  }

  var orders: any VenueOrderEntry {
    Entry(exchange: exchange, loop: loop, timeout: timeout, listing: listing)
  }

  /// The venue lists other markets, or under other terms, than this session knows.
  var isOutdated: Bool { listing != exchange.listing }

  func loadInstruments() async throws(VenueError) -> [Instrument] {
    guard
      let listed = await exchange.ask(
        from: loop, within: timeout, changes: false, { $0.isBanned ? nil : $0.listing }),
      let listed
    else { throw VenueError(.venueUnavailable, "\(exchange.name) does not answer") }
    listing = listed
    return listed.instruments
  }

  func start(
    market: @escaping @Sendable (MarketEvent) async -> Void,
    account: @escaping @Sendable (PrivateEvent) async -> Void
  ) async {
    hear = account
    connect()
  }

  func stop() async {}
  func resynchronise(_ instrument: InstrumentID, reason: String) {}

  // MARK: The private stream

  private func connect() {
    attempts += 1
    exchange.connect(self)
    tell(.connected(attempt: attempts))
  }

  func lost(for length: Duration) {
    exchange.scheduler.schedule(on: loop, at: loop.uptime + .milliseconds(1)) { [self] in
      tell(.disconnected(reason: "the venue closed it"))
      loop.schedule(after: length) { [self] in connect() }
    }
  }

  func deliver(_ told: VenueReport) {
    // Of a market that it does not know a session says nothing.
    guard let report = listing.listed(told) else { return }
    let arrival = max(lastArrival, loop.uptime + .microseconds(800))
    lastArrival = arrival
    exchange.scheduler.schedule(on: loop, at: arrival) { [self] in tell(.report(report)) }
  }

  private func tell(_ event: PrivateEvent) {
    inbox.append(event)
    guard !isTelling, let hear else { return }
    isTelling = true
    loop.spawn { [self] in
      while !inbox.isEmpty { await hear(inbox.removeFirst()) }
      isTelling = false
    }
  }

  // MARK: Orders

  private struct Entry: VenueOrderEntry {
    let exchange: StormVenue
    let loop: EventLoop
    let timeout: Duration
    let listing: StormListing
    let settlesAfter = Duration.seconds(12)

    private func ask(
      changes: Bool, _ body: @escaping (StormVenue) -> VenueOutcome
    ) async -> VenueOutcome {
      let outcome = await exchange.ask(from: loop, within: timeout, changes: changes, body)
      guard let outcome else { return .unknown(reason: "\(exchange.name) has not answered") }
      guard case .acknowledged(let report) = outcome else { return outcome }
      guard let listed = listing.listed(report) else {
        return .unknown(reason: "\(exchange.name) answers of a market that is not listed")
      }
      return .acknowledged(listed)
    }

    func place(_ listed: VenueOrder) async -> VenueOutcome {
      let order = listing.traded(listed)
      exchange.sent?(order)
      let outcome = await ask(changes: true) { $0.place(order) }
      // As every adapter says it.
      guard case .rejected(.duplicateOrder, let text) = outcome else { return outcome }
      return .unknown(reason: "\(exchange.name) has an order of this name: \(text)")
    }

    func cancel(_ clientOrderID: String, of listed: InstrumentID) async -> VenueOutcome {
      let instrument = listing.traded(listed)
      return await ask(changes: true) { $0.cancel(clientOrderID, instrument) }
    }

    func replace(_ clientOrderID: String, with order: VenueOrder) async -> VenueReplacement {
      let cancel = await cancel(clientOrderID, of: order.instrument)
      guard case .acknowledged = cancel else { return VenueReplacement(cancel: cancel, place: nil) }
      return VenueReplacement(cancel: cancel, place: await place(order))
    }

    func amend(_ listed: VenueAmendment) async -> VenueOutcome {
      let amendment = listing.traded(listed)
      return await ask(changes: true) { $0.amend(amendment) }
    }

    func cancelAll(
      of instrument: InstrumentID
    ) async throws(VenueError) -> VenueList<VenueReport> {
      var cancelled = VenueList<VenueReport>()
      for order in try await openOrders(of: instrument).rows {
        if case .acknowledged(let report) = await cancel(order.clientOrderID, of: instrument) {
          cancelled.rows.append(report)
        }
      }
      return cancelled
    }

    func query(_ clientOrderID: String, of listed: InstrumentID) async -> VenueOutcome {
      let instrument = listing.traded(listed)
      return await ask(changes: false) { $0.query(clientOrderID, instrument) }
    }

    private func question<Answer: Sendable>(
      _ body: @escaping (StormVenue) -> Answer
    ) async throws(VenueError) -> Answer {
      let answer = await exchange.ask(from: loop, within: timeout, changes: false) { venue in
        venue.isBanned ? nil : body(venue)
      }
      guard let told = answer, let told else {
        throw VenueError(.venueUnavailable, "\(exchange.name) does not answer")
      }
      return told
    }

    func openOrders(of listed: InstrumentID) async throws(VenueError) -> VenueList<VenueReport> {
      let instrument = listing.traded(listed)
      let open = try await question { $0.openOrders(instrument) }
      return VenueList(open.compactMap { listing.listed($0) })
    }

    func fills(
      of instrument: InstrumentID, from executionID: String?
    ) async throws(VenueError) -> VenueList<VenueFillRecord> { VenueList() }

    func fills(
      ofOrder venueOrderID: String, _ instrument: InstrumentID
    ) async throws(VenueError) -> VenueList<VenueFillRecord> {
      let fills = try await question { $0.fills(venueOrderID) }
      return VenueList(
        fills.map {
          VenueFillRecord(
            instrument: instrument, venueOrderID: venueOrderID,
            fill: listing.listed($0, instrument))
        })
    }

    func balances() async throws(VenueError) -> [VenueBalance] { [] }
  }
}
