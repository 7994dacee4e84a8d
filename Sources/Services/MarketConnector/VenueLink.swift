internal import Calls
internal import Chrono
internal import Contracts
internal import OrderBook
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Units
internal import Venue
internal import Venues

/// One venue: its session, the books as of now, and everybody who listens.
actor VenueLink {
  nonisolated let venue: String
  nonisolated let session: any VenueSession
  nonisolated let market: Readers<MarketV1.MarketEvent>
  nonisolated let reports: Readers<MarketV1.VenueReportEvent>
  private let time: any TimeSource
  private let log: Log
  private(set) var instruments: [Instrument] = []
  private var books: [InstrumentID: BookNow] = [:]
  private var sequence: UInt64 = 0
  private var lastMessage = Instant.epoch
  private var isPrivateConnected = false
  private var balances: [VenueBalance] = []

  private struct BookNow {
    let book = PriceLevelBook()
    var updateID: UInt64 = 0
    var exchangeTime = Instant.epoch
    var receivedTime = Instant.epoch
    var staleReason: String? = "no snapshot yet"
  }

  init(_ session: any VenueSession, _ config: Config, _ context: ServiceContext) {
    self.session = session
    venue = session.venue.name
    time = context.time
    log = context.log
    let ended = context.metrics.counters(
      "market_connector_slow_readers_total", help: "Streams ended because their reader was slow.",
      labels: ["stream"])
    market = Readers(config, context.loop, ended: ended.with("market"))
    reports = Readers(config, context.loop, ended: ended.with("reports"))
  }

  // MARK: Instruments

  func load() async throws { instruments = try await session.loadInstruments() }

  func instrument(_ symbol: String) throws(RPCError) -> Instrument {
    guard let instrument = instruments.first(where: { $0.symbol == symbol }) else {
      throw .invalid("symbol", "\(symbol.prefix(32)) is not listed at \(venue)")
    }
    return instrument
  }

  private func instrument(_ id: InstrumentID) -> Instrument? {
    instruments.first { $0.id == id }
  }

  // MARK: Events in

  /// Awaited by the session: a full reader holds the venue's stream back.
  func take(_ event: MarketEvent) async {
    lastMessage = time.now
    sequence += 1
    guard let message = message(event) else { return }
    let ids = await market.ids
    await market.publish(message, to: ids)
  }

  func take(_ event: PrivateEvent) async {
    var message = MarketV1.VenueReportEvent()
    switch event {
    case .connected:
      isPrivateConnected = true
      message.event = .resynchronise(resynchronise("the private stream is up"))
    case .disconnected(let reason):
      isPrivateConnected = false
      log.warning("private stream lost", ["venue": .text(venue), "reason": .text(reason)])
      return
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

  /// Applies an event to the book of now, and puts it into the contract's words.
  private func message(_ event: MarketEvent) -> MarketV1.MarketEvent? {
    switch event {
    case .snapshot(let snapshot):
      guard let instrument = instrument(snapshot.instrument) else { return nil }
      var now = books[instrument.id] ?? BookNow()
      now.book.apply(snapshot)
      now.updateID = snapshot.updateID
      now.exchangeTime = snapshot.exchangeTime
      now.receivedTime = snapshot.receivedTime
      now.staleReason = nil
      books[instrument.id] = now
      return self.snapshot(instrument, now)
    case .delta(let delta):
      guard let instrument = instrument(delta.instrument) else { return nil }
      var now = books[instrument.id] ?? BookNow()
      now.book.apply(delta)
      now.updateID = delta.lastUpdateID
      now.exchangeTime = delta.exchangeTime
      now.receivedTime = delta.receivedTime
      books[instrument.id] = now
      var message = header(instrument, delta.exchangeTime, delta.receivedTime)
      var wire = MarketV1.BookDelta()
      wire.firstUpdateId = delta.firstUpdateID
      wire.lastUpdateId = delta.lastUpdateID
      wire.bids = delta.bids.map(MarketV1.Level.init)
      wire.asks = delta.asks.map(MarketV1.Level.init)
      message.event = .delta(wire)
      return message
    case .trade(let trade):
      guard let instrument = instrument(trade.instrument) else { return nil }
      var message = header(instrument, trade.exchangeTime, trade.receivedTime)
      var wire = MarketV1.Trade()
      wire.tradeId = trade.tradeID
      wire.price = trade.price.raw
      wire.quantity = trade.quantity.raw
      wire.aggressor = TypeV1.Side(trade.aggressor)
      message.event = .trade(wire)
      return message
    case .top(let top):
      guard let instrument = instrument(top.instrument) else { return nil }
      var message = header(instrument, .epoch, top.receivedTime)
      var wire = MarketV1.TopOfBook()
      wire.updateId = top.updateID
      wire.bid = MarketV1.Level(top.bid)
      wire.ask = MarketV1.Level(top.ask)
      message.event = .top(wire)
      return message
    case .stale(let id, let reason):
      guard let instrument = instrument(id) else { return nil }
      books[id, default: BookNow()].staleReason = reason
      var message = header(instrument, .epoch, time.now)
      var wire = MarketV1.BookStale()
      wire.reason = reason
      message.event = .stale(wire)
      return message
    case .status(let status):
      guard let index = instruments.firstIndex(where: { $0.id == status.instrument }) else {
        return nil
      }
      instruments[index].isTrading = status.isTrading
      return nil
    }
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

  private func snapshot(_ instrument: Instrument, _ now: BookNow) -> MarketV1.MarketEvent {
    var message = header(instrument, now.exchangeTime, now.receivedTime)
    var wire = MarketV1.BookSnapshot()
    wire.updateId = now.updateID
    wire.bids = now.book.levels(.buy, max: .max / 2).map(MarketV1.Level.init)
    wire.asks = now.book.levels(.sell, max: .max / 2).map(MarketV1.Level.init)
    wire.priceScale = UInt32(instrument.priceScale)
    wire.quantityScale = UInt32(instrument.quantityScale)
    message.event = .snapshot(wire)
    return message
  }

  // MARK: Readers

  /// A reader that begins with the books as of now.
  func listen(_ symbols: Set<String>) async throws(RPCError) -> Int {
    var first: [MarketV1.MarketEvent] = []
    for instrument in instruments where symbols.isEmpty || symbols.contains(instrument.symbol) {
      guard let now = books[instrument.id], now.staleReason == nil else { continue }
      first.append(snapshot(instrument, now))
    }
    return try await market.add(first: first) { event in
      symbols.isEmpty || symbols.contains(event.symbol)
    }
  }

  // MARK: Health

  var health: MarketV1.VenueHealth {
    let counters = session.counters
    var health = MarketV1.VenueHealth()
    health.venue = venue
    health.publicConnected = books.values.contains { $0.staleReason == nil }
    health.privateConnected = isPrivateConnected
    if lastMessage > .epoch { health.lastMessageAt = .init(lastMessage) }
    health.reconnects = counters.reconnections.value + counters.privateReconnections.value
    health.gaps = counters.gaps.value
    health.snapshots = counters.snapshots.value
    health.messages = counters.messages.value
    return health
  }
}

extension MarketV1.Level {
  init(_ level: PriceLevel) {
    self.init()
    price = level.price.raw
    quantity = level.quantity.raw
  }
}
