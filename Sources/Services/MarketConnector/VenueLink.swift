internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import MarketQuality
internal import OrderBook
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Units
internal import Venue
internal import Venues

/// One venue: its session, the books as of now, and everybody who listens.
actor VenueLink {
  nonisolated let known: KnownVenue
  nonisolated let venue: String
  nonisolated let session: any VenueSession
  nonisolated let market: Readers<MarketV1.MarketEvent>
  nonisolated let reports: Readers<MarketV1.VenueReportEvent>
  nonisolated let notices: NoticeBoard
  let time: any TimeSource
  private let log: Log
  private let limits: QualityLimits
  private let published: Histogram
  private let spans: Spans
  private let failures: CounterFamily
  private nonisolated let incomplete: CounterFamily
  private let resyncs: CounterFamily
  private let rates: GaugeFamily
  private let breakerOpen: Gauge
  private(set) var books: [MarketBook] = []
  private var mail: Mailboxes<Outgoing>
  private var ticks: TickPen
  private let heldMax: Duration
  /// Bringers of events that wait for room, and since when there are any.
  private var holders = 0
  private var heldSince: Uptime?
  private let loop: EventLoop
  private let depths: GaugeFamily
  private let held: Counter
  private var sequence: UInt64 = 0
  private var noticeSequence: UInt64 = 0
  private(set) var watch: HealthWatch
  private(set) var lastMessage = Instant.epoch
  private(set) var lastReport = Instant.epoch
  private var reportsHeard: UInt64 = 0
  private(set) var isPrivateConnected = false
  /// Why there are no instruments yet.
  private(set) var unlisted = "has not told its instruments yet"
  private var balances: [VenueBalance] = []

  init(
    _ known: KnownVenue, _ session: any VenueSession, _ config: Config, _ context: ServiceContext,
    _ notices: NoticeBoard, _ outlet: TickOutlet
  ) {
    self.known = known
    self.session = session
    self.notices = notices
    venue = session.venue.name
    time = context.time
    log = context.log
    limits = config.quality(of: known)
    watch = HealthWatch(window: config.healthWindow)
    mail = Mailboxes(shards: config.shards, max: config.mailboxMax)
    ticks = TickPen(outlet, session.venue.name, config, context.metrics)
    heldMax = config.ticks.heldMax
    loop = context.loop
    depths = context.metrics.gauges(
      "market_connector_mailbox_depth", help: "Events that wait for their symbol's turn.",
      labels: ["venue", "shard", "symbol"])
    held = context.metrics.counters(
      "market_connector_mailbox_full_total",
      help: "Times a venue's stream was held back by a full mailbox.", labels: ["venue"]
    ).with(venue)
    let ended = context.metrics.counters(
      "market_connector_slow_readers_total", help: "Streams ended because their reader was slow.",
      labels: ["stream"])
    market = Readers(config, context.loop, ended: ended.with("market"))
    reports = Readers(config, context.loop, ended: ended.with("reports"))
    published = context.metrics.histograms(
      "market_connector_publish_seconds",
      help: "From receiving a frame until its event is handed to readers.",
      labels: ["venue"], bounds: Histogram.spanBounds
    ).with(venue)
    spans = Spans(venue, context.metrics)
    failures = context.metrics.counters(
      "market_connector_quality_failures_total", help: "Events that failed a check.",
      labels: ["venue", "check"])
    incomplete = context.metrics.counters(
      "market_connector_incomplete_lists_total",
      help: "Lists of a venue's that lacked rows which cannot be read, or an instrument's answer.",
      labels: ["venue", "list"])
    resyncs = context.metrics.counters(
      "market_connector_quality_resyncs_total",
      help: "Snapshots that checks asked for, and those withheld by quality_resyncs_max.",
      labels: ["venue", "result"])
    breakerOpen = context.metrics.gauges(
      "market_connector_breaker_open",
      help: "1 while the venue's circuit breaker is open, 0.5 while half-open.", labels: ["venue"]
    ).with(venue)
    rates = context.metrics.gauges(
      "market_connector_quality_rate",
      help: "Stale events, crossed books and gaps as a share of all.",
      labels: ["venue", "rate"])
  }

  /// Where the time goes between a frame and whoever hears of it.
  private struct Spans {
    let decode: Histogram
    let book: Histogram
    let ring: Histogram
    let tick: Histogram

    init(_ venue: String, _ metrics: MetricsRegistry) {
      let family = metrics.histograms(
        "market_connector_stage_seconds",
        help:
          "From a frame to an event (decode), to the judged book, to the ring; and all of it (tick).",
        labels: ["venue", "stage"], bounds: Histogram.spanBounds)
      decode = family.with(venue, "decode")
      book = family.with(venue, "book")
      ring = family.with(venue, "ring")
      tick = family.with(venue, "tick")
    }
  }

  /// On its way to the readers.
  private struct Outgoing {
    let message: MarketV1.MarketEvent
    let received: Instant?
  }

  // MARK: Instruments

  func load() async throws {
    let instruments: [Instrument]
    do throws(VenueError) {
      instruments = try await session.loadInstruments()
    } catch {
      unlisted = "has not told its instruments yet: \(error)"
      throw error
    }
    guard !instruments.isEmpty else {
      unlisted = "lists none of the symbols of its settings"
      throw RPCError(.failedPrecondition, "\(venue) \(unlisted)")
    }
    books = instruments.map { MarketBook($0, limits) }
    mail.open(books.map(\.instrument.symbol), venue: venue, depths)
    beginTicks()
  }

  var instruments: [Instrument] { books.map(\.instrument) }

  /// The venue's instruments; UNAVAILABLE, with the reason, until it has told them.
  func listed() throws(RPCError) -> [Instrument] {
    guard !books.isEmpty else {
      throw RPCError(
        .unavailable, "\(venue) \(unlisted)", details: [.retryInfo(delay: .seconds(1))])
    }
    return instruments
  }

  func instrument(_ symbol: String) throws(RPCError) -> Instrument {
    _ = try listed()
    guard let book = books.first(where: { $0.instrument.symbol == symbol }) else {
      throw .invalid("symbol", "\(symbol.prefix(32)) is not listed at \(venue)")
    }
    return book.instrument
  }

  private func instrument(_ id: InstrumentID) -> Instrument? {
    books.indices.contains(Int(id.index)) ? books[Int(id.index)].instrument : nil
  }

  nonisolated func countIncomplete(_ list: String) { incomplete.with(venue, list).increment() }

  // MARK: Events in

  /// Awaited by the session. The book and the ring of ticks have the event at once. Readers have it
  /// through a mailbox: a full one holds the venue's stream back, and a full reader fills them.
  func take(_ event: MarketEvent) async {
    let taken = time.now
    lastMessage = taken
    // Ids are places in the session's list.
    guard books.indices.contains(Int(event.instrument.index)) else { return }
    guard let outgoing = apply(event, taken) else { return }
    if mail.put(outgoing, of: event.instrument) { return }
    held.increment()
    holders += 1
    heldSince = heldSince ?? loop.uptime
    await withCheckedContinuation { mail.wait(with: outgoing, of: event.instrument, $0) }
    holders -= 1
    if holders == 0 {
      heldSince = nil
      ticks.letGo(books, at: time.now)
    }
  }

  private func apply(_ event: MarketEvent, _ taken: Instant) -> Outgoing? {
    let index = Int(event.instrument.index)
    let step = books[index].take(event)
    let judged = time.now
    ticks.take(event, books[index], isPassedOn: step.event != nil, at: taken)
    if let received = event.receivedTime {
      spans.decode.observe(taken - received)
      spans.book.observe(judged - taken)
      let written = time.now
      spans.ring.observe(written - judged)
      spans.tick.observe(written - received)
    }
    if !step.verdict.findings.isEmpty { tell(step.verdict, books[index].instrument) }
    if let taint = step.taint { mail.force(outgoing(taint), of: taint.instrument) }
    guard let told = step.event else { return nil }
    return outgoing(told, received: event.receivedTime)
  }

  private func outgoing(_ event: MarketEvent, received: Instant? = nil) -> Outgoing {
    sequence += 1
    return Outgoing(
      message: message(event, books[Int(event.instrument.index)]), received: received)
  }

  /// Gives the mailboxes' events to the readers in turn, until it is cancelled or they are closed.
  func deliver() async {
    while !Task.isCancelled, !mail.isClosed {
      if let next = mail.next() {
        await market.publish(next.message, to: market.ids)
        if let received = next.received { published.observe(time.now - received) }
      } else {
        await withTaskCancellationHandler {
          await withCheckedContinuation { mail.whenFilled($0) }
        } onCancel: {
          loop.spawn { await self.wake() }
        }
      }
    }
  }

  private func wake() { mail.wake() }

  /// Nothing more is taken, and nobody waits.
  func close() { mail.close() }

  func take(_ event: PrivateEvent) async {
    var message = MarketV1.VenueReportEvent()
    lastReport = time.now
    reportsHeard += 1
    switch event {
    case .connected:
      isPrivateConnected = true
      message.event = .resynchronise(resynchronise("the private stream is up"))
    case .disconnected(let reason):
      isPrivateConnected = false
      log.warning("private stream lost", ["venue": .text(venue), "reason": .text(reason)])
      return
    case .missed(let reason):
      message.event = .resynchronise(
        resynchronise("the private stream told what cannot be read: \(reason)"))
    case .report(let report):
      guard let instrument = instrument(report.instrument) else { return }
      message.event = .report(MarketV1.VenueReport(report, instrument))
    case .balances(let changed):
      balances = changed
      return
    }
    await reports.publish(message, to: reports.ids)
  }

  nonisolated func resynchronise(_ reason: String) -> MarketV1.VenueReportEvent.Resynchronise {
    var loss = MarketV1.VenueReportEvent.Resynchronise()
    loss.venue = venue
    loss.reason = reason
    return loss
  }

  // MARK: Events out

  private func message(_ event: MarketEvent, _ book: MarketBook) -> MarketV1.MarketEvent {
    let instrument = book.instrument
    var message: MarketV1.MarketEvent
    switch event {
    case .snapshot: return snapshot(book)
    case .delta(let delta):
      message = header(instrument, delta.exchangeTime, delta.receivedTime)
      var wire = MarketV1.BookDelta()
      wire.firstUpdateId = delta.firstUpdateID
      wire.lastUpdateId = delta.lastUpdateID
      wire.bids = delta.bids.map(MarketV1.Level.init)
      wire.asks = delta.asks.map(MarketV1.Level.init)
      message.event = .delta(wire)
    case .trade(let trade):
      message = header(instrument, trade.exchangeTime, trade.receivedTime)
      var wire = MarketV1.Trade()
      wire.tradeId = trade.tradeID
      wire.price = trade.price.raw
      wire.quantity = trade.quantity.raw
      wire.aggressor = TypeV1.Side(trade.aggressor)
      wire.backfilled = trade.isBackfilled
      message.event = .trade(wire)
    case .top(let top):
      message = header(instrument, .epoch, top.receivedTime)
      var wire = MarketV1.TopOfBook()
      wire.updateId = top.updateID
      wire.bid = MarketV1.Level(top.bid)
      wire.ask = MarketV1.Level(top.ask)
      message.event = .top(wire)
    case .stale(_, let reason):
      message = header(instrument, .epoch, time.now)
      var wire = MarketV1.BookStale()
      wire.reason = reason
      message.event = .stale(wire)
    case .status(let status):
      message = header(instrument, .epoch, status.receivedTime)
      var wire = MarketV1.InstrumentStatus()
      wire.trading = status.isTrading
      wire.text = status.text
      message.event = .status(wire)
    }
    message.quality = book.flags.rawValue
    return message
  }

  private func header(
    _ instrument: Instrument, _ exchange: Instant, _ received: Instant
  ) -> MarketV1.MarketEvent {
    var message = MarketV1.MarketEvent()
    message.venue = venue
    message.symbol = instrument.symbol
    message.sequence = sequence
    message.exchangeTimeNs = UInt64(max(0, exchange.nanoseconds))
    message.receivedTimeNs = UInt64(max(0, received.nanoseconds))
    return message
  }

  private func snapshot(_ book: MarketBook) -> MarketV1.MarketEvent {
    var message = header(book.instrument, book.exchangeTime, book.receivedTime)
    var wire = MarketV1.BookSnapshot()
    wire.updateId = book.updateID
    wire.bids = book.book.levels(.buy, max: .max / 2).map(MarketV1.Level.init)
    wire.asks = book.book.levels(.sell, max: .max / 2).map(MarketV1.Level.init)
    wire.priceScale = UInt32(book.instrument.priceScale)
    wire.quantityScale = UInt32(book.instrument.quantityScale)
    message.event = .snapshot(wire)
    message.quality = book.flags.rawValue
    return message
  }

  // MARK: Readers

  /// The books as of now, for a reader that begins.
  func snapshots(_ symbols: Set<String>) -> [MarketV1.MarketEvent] {
    books.filter {
      $0.staleReason == nil && (symbols.isEmpty || symbols.contains($0.instrument.symbol))
    }.map(snapshot)
  }

  /// A reader that begins with the books as of now: what still waits is in them.
  func listen(_ symbols: Set<String>) async throws(RPCError) -> Int {
    try await market.add(first: snapshots(symbols)) { [sequence] event in
      event.sequence > sequence && (symbols.isEmpty || symbols.contains(event.symbol))
    }
  }

  // MARK: Ticks

  /// The ring's state of every book, once there is a ring.
  func beginTicks() { ticks.begin(books, at: time.now) }

  var isHeld: Bool { ticks.isHeld }

  /// A venue that is not read any more has prices that nobody knows.
  func watchHold() {
    if let heldSince, loop.uptime - heldSince > heldMax { ticks.hold(books, at: time.now) }
  }

  // MARK: Quality and health

  /// About once a second: silence is found, and the health is told.
  func tick() {
    let now = time.now
    for index in books.indices {
      let step = books[index].tick(at: now)
      if step.verdict.findings.isEmpty { continue }
      // Silence is told as a flag; it is no sign that the book was heard.
      ticks.touch(books[index], at: now)
      tell(step.verdict, books[index].instrument)
      if let taint = step.taint { mail.force(outgoing(taint), of: taint.instrument) }
    }
    watch.look(session.counters, reports: reportsHeard, at: now)
    let health = health
    breakerOpen.set(health.circuitBreakerOpen ? 1 : health.breaker?.state == .halfOpen ? 0.5 : 0)
    rates.with(venue, "stale").set(Double(health.staleMillionths) / 1e6)
    rates.with(venue, "crossed").set(Double(health.crossedMillionths) / 1e6)
    rates.with(venue, "gap").set(Double(health.gapMillionths) / 1e6)
    var notice = notice("md.health.\(venue)", at: now)
    notice.health = health
    notices.post(notice)
  }

  private func tell(_ verdict: QualityVerdict, _ instrument: Instrument) {
    for finding in verdict.findings {
      failures.with(venue, finding.check.name).increment()
      let action = limits.action(of: finding.check)
      guard action.alerts else { continue }
      let topic = finding.check == .tainted ? "md.gap" : "md.anomaly"
      var notice = notice("\(topic).\(venue).\(instrument.symbol)", at: time.now)
      notice.symbol = instrument.symbol
      notice.check = finding.check.name
      notice.text = finding.text
      notice.action = action.rawValue
      notices.post(notice)
      log.warning(
        "market quality",
        [
          "venue": .text(venue), "symbol": .text(instrument.symbol),
          "check": .text(finding.check.name), "text": .text(finding.text),
        ])
    }
    resynchronise(verdict, instrument)
  }

  /// Asks for the book anew where a check wants that. The session's events come by themselves.
  private func resynchronise(_ verdict: QualityVerdict, _ instrument: Instrument) {
    switch verdict.resync {
    case .none: return
    case .ask(let reason):
      resyncs.with(venue, "asked").increment()
      session.resynchronise(instrument.id, reason: "snapshot requested: \(reason)")
    case .withheld: resyncs.with(venue, "withheld").increment()
    }
  }

  private func notice(_ subject: String, at now: Instant) -> MarketV1.MarketNotice {
    noticeSequence += 1
    var notice = MarketV1.MarketNotice()
    notice.subject = subject
    notice.venue = venue
    notice.time = .init(now)
    notice.sequence = noticeSequence
    return notice
  }
}

extension MarketV1.Level {
  init(_ level: PriceLevel) {
    self.init()
    price = level.price.raw
    quantity = level.quantity.raw
  }
}
