internal import Calls
internal import Chrono
internal import Contracts
internal import MarketQuality
internal import OrderBook
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Units
internal import Venue

/// All books; the only writer of them.
actor Books {
  typealias Key = InstrumentTable.Key

  private let config: Config
  /// The run that sequences count in.
  let epoch: UInt64
  private var instruments = InstrumentTable()
  private var states: [Key: BookState] = [:]
  /// Of the symbols that several venues list; listings in order of the venues' names.
  private(set) var consolidated: [String: ConsolidatedBook] = [:]
  private(set) var updates: [String: SymbolUpdates] = [:]
  private var version: UInt64 = 0
  /// By symbol: the version of its last change at any venue.
  private(set) var symbolVersions: [String: UInt64] = [:]
  private var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
  private var lastWaiter = 0
  private var subscribers = 0
  private let events: CounterFamily
  private let checks: CounterFamily
  private let stales: CounterFamily
  private let crossed: CounterFamily
  private let overflows: CounterFamily
  private let restarts: CounterFamily

  init(_ config: Config, _ metrics: MetricsRegistry, epoch: UInt64) {
    self.config = config
    self.epoch = epoch
    events = metrics.counters(
      "orderbook_events_total", help: "Market events applied.", labels: ["kind"])
    checks = metrics.counters(
      "orderbook_top_checks_total",
      help: "Our best bid and ask against the venue's own at equal update ids.",
      labels: ["symbol", "result"])
    stales = metrics.counters(
      "orderbook_stale_total", help: "Times a book lost its feed.", labels: ["symbol"])
    crossed = metrics.counters(
      "orderbook_crossed_total", help: "Updates after which a book was crossed.", labels: ["symbol"]
    )
    overflows = metrics.counters(
      "orderbook_overflows_total",
      help: "Prices beyond 64 bits in a consolidated book's scale; the venue was left out.",
      labels: ["symbol", "venue"])
    restarts = metrics.counters(
      "orderbook_readers_restarted_total",
      help: "Readers of updates that were over history_max behind, and got a snapshot.",
      labels: ["symbol"])
  }

  /// A reader missed changes that are kept no more.
  func restarted(_ symbol: String) { restarts.with(symbol).increment() }

  // MARK: Feed

  func learn(_ known: [MarketV1.Instrument]) throws {
    for wire in known {
      try instruments.learn(wire)
      let key = Key(venue: wire.venue, symbol: wire.symbol)
      guard let instrument = instruments[wire.venue, wire.symbol] else { continue }
      // Under other scales it is another book.
      if states[key]?.instrument.id != instrument.id {
        states[key] = BookState(instrument, levelsMax: config.levelsMax)
        try consolidate(wire.symbol)
      }
    }
  }

  private func consolidate(_ symbol: String) throws(RPCError) {
    let listed = states(of: symbol)
    guard listed.count > 1 else { return }
    let listings = listed.map {
      BookListing(
        venue: $0.instrument.venue, book: $0.book, priceScale: $0.instrument.priceScale,
        quantityScale: $0.instrument.quantityScale)
    }
    guard let book = ConsolidatedBook(listings) else {
      throw RPCError(
        .failedPrecondition,
        "\(symbol) is listed at \(listed.count) venues, more than \(ConsolidatedBook.listingsMax)")
    }
    consolidated[symbol] = book
    for state in listed { refresh(state) }
  }

  /// Every venue's book of a symbol, by the venues' names.
  func states(of symbol: String) -> [BookState] {
    Set(instruments.all.filter { $0.symbol == symbol }.map(\.venue.name)).sorted()
      .compactMap { states[Key(venue: $0, symbol: symbol)] }
  }

  /// The consolidated book takes the venue's best prices, or lets the venue go while it is stale.
  private func refresh(_ state: BookState) {
    guard let book = consolidated[state.instrument.symbol],
      let listing = book.listings.firstIndex(where: { $0.venue == state.instrument.venue })
    else { return }
    guard state.staleReason == nil else {
      book.leave(listing)
      return
    }
    do throws(ConsolidatedOverflow) {
      try book.refresh(listing)
    } catch {
      // The venue is out until its price fits, which the book's "partial" tells.
      overflows.with(state.instrument.symbol, error.venue.name).increment()
    }
  }

  func apply(_ event: MarketV1.MarketEvent) throws(RPCError) {
    let key = Key(venue: event.venue, symbol: event.symbol)
    guard var state = states.removeValue(forKey: key) else {
      throw RPCError(
        .failedPrecondition, "\(event.symbol) of \(event.venue) is no known instrument")
    }
    defer { states[key] = state }
    take(event, &state)
  }

  private func take(_ event: MarketV1.MarketEvent, _ state: inout BookState) {
    let received = Instant(nanoseconds: Int64(clamping: event.receivedTimeNs))
    let exchange = Instant(nanoseconds: Int64(clamping: event.exchangeTimeNs))
    let flags = QualityFlags(rawValue: event.quality)
    let isJudgedAnew = flags != state.flags
    state.flags = flags
    switch event.event {
    case .snapshot(let snapshot):
      events.with("snapshot").increment()
      state.book.removeAll()
      state.book.apply(levels(snapshot.bids), to: .buy)
      state.book.apply(levels(snapshot.asks), to: .sell)
      state.check.reset()
      state.staleReason = nil
      state.updateID = snapshot.updateId
      advance(&state, exchange, received, replaces: true, snapshot.bids, snapshot.asks)
    case .delta(let delta):
      events.with("delta").increment()
      state.book.apply(levels(delta.bids), to: .buy)
      state.book.apply(levels(delta.asks), to: .sell)
      state.updateID = delta.lastUpdateId
      advance(&state, exchange, received, replaces: false, delta.bids, delta.asks)
    case .trade(let trade):
      events.with("trade").increment()
      keep(trade, exchange, in: &state)
    case .top(let top):
      events.with("top").increment()
      let venueTop = TopOfBook(
        instrument: state.instrument.id, updateID: top.updateId, bid: level(top.bid),
        ask: level(top.ask), receivedTime: received)
      if state.staleReason == nil,
        let verdict = state.check.take(venueTop, state.book, at: state.updateID)
      {
        count(verdict, state)
      }
    case .stale(let stale): markStale(&state, stale.reason)
    case .status: events.with("status").increment()
    case nil: events.with("unknown").increment()
    }
    switch event.event {
    case .snapshot, .delta, .stale: break
    // The book is as it was, and what is thought of it is not.
    case .trade, .top, .status, nil: if isJudgedAnew, state.version > 0 { tell(&state) }
    }
  }

  /// The feed is gone: no book is to be trusted.
  func loseFeed(_ reason: String) {
    for key in Array(states.keys) where states[key]!.staleReason == nil {
      markStale(&states[key]!, reason)
    }
  }

  private func advance(
    _ state: inout BookState, _ exchange: Instant, _ received: Instant, replaces: Bool,
    _ bids: [MarketV1.Level], _ asks: [MarketV1.Level]
  ) {
    state.exchangeTime = exchange
    state.receivedTime = received
    for verdict in state.check.advance(state.book, to: state.updateID) { count(verdict, state) }
    if state.book.isCrossed { crossed.with(state.instrument.symbol).increment() }
    publish(&state, replaces: replaces, bids, asks)
  }

  private func markStale(_ state: inout BookState, _ reason: String) {
    stales.with(state.instrument.symbol).increment()
    state.staleReason = reason
    publish(&state, replaces: false, [], [])
  }

  private func count(_ verdict: TopCheck.Verdict, _ state: BookState) {
    checks.with(state.instrument.symbol, verdict == .equal ? "equal" : "different").increment()
  }

  private func keep(_ trade: MarketV1.Trade, _ exchange: Instant, in state: inout BookState) {
    var print = OrderbookV1.TradePrint()
    print.venue = state.instrument.venue.name
    print.symbol = state.instrument.symbol
    print.tradeId = trade.tradeId
    print.price = state.instrument.wire(Price(trade.price))
    print.quantity = state.instrument.wire(Quantity(trade.quantity))
    print.aggressor = trade.aggressor
    print.exchangeTime = .init(exchange)
    state.trades.append(print)
    if state.trades.count > 2 * config.tradesKeptMax {
      state.trades.removeFirst(state.trades.count - config.tradesKeptMax)
    }
  }

  private func level(_ wire: MarketV1.Level?) -> PriceLevel {
    PriceLevel(price: Price(wire?.price ?? 0), quantity: Quantity(wire?.quantity ?? 0))
  }

  private func levels(_ wire: [MarketV1.Level]) -> [PriceLevel] { wire.map(level) }

  private func publish(
    _ state: inout BookState, replaces: Bool, _ bids: [MarketV1.Level], _ asks: [MarketV1.Level]
  ) {
    refresh(state)
    let symbol = state.instrument.symbol
    let number = (updates[symbol]?.sequence ?? 0) + 1
    let isHashed = replaces || number % UInt64(config.hashEvery) == 0
    updates[symbol, default: SymbolUpdates(limit: config.historyMax)].append(
      state.change(
        replaces: replaces, bids: bids, asks: asks, hash: isHashed ? state.book.stateHash : 0))
    tell(&state)
  }

  /// Something of the state changed that readers want to know.
  private func tell(_ state: inout BookState) {
    version += 1
    state.version = version
    symbolVersions[state.instrument.symbol] = version
    let waiting = waiters
    waiters.removeAll(keepingCapacity: true)
    for waiter in waiting.values { waiter.resume() }
  }

  // MARK: Questions

  func book(_ request: OrderbookV1.GetBookRequest) throws(RPCError) -> OrderbookV1.Book {
    let depth = try depth(request)
    if request.venue.isEmpty, let all = consolidated[request.symbol] {
      return try consolidatedBook(request.symbol, all, depth: depth, group: request.group)
    }
    let instrument = try instruments.find(venue: request.venue, symbol: request.symbol)
    let state = try state(of: instrument)
    var message = state.message(depth: depth, group: try group(request, instrument))
    message.sequence = updates[request.symbol]?.sequence ?? 0
    message.epoch = epoch
    return message
  }

  func tops(_ symbols: Set<String>) -> [OrderbookV1.Top] {
    states.values
      .filter { $0.version > 0 && (symbols.isEmpty || symbols.contains($0.instrument.symbol)) }
      .map(\.top).sorted { ($0.symbol, $0.venue) < ($1.symbol, $1.venue) }
  }

  func trades(_ request: OrderbookV1.ListTradesRequest) throws(RPCError) -> [OrderbookV1.TradePrint]
  {
    guard request.limit <= 1_000 else {
      throw .invalid("limit", "must be from 1 to 1000, not \(request.limit)")
    }
    let limit = request.limit == 0 ? 100 : Int(request.limit)
    if request.venue.isEmpty, consolidated[request.symbol] != nil {
      // Each venue's come in order; the sort is stable, so equal times keep it.
      let latest = states(of: request.symbol).flatMap { $0.trades.suffix(limit).reversed() }
      let sorted = latest.sorted {
        let (left, right) = ($0.exchangeTime ?? .init(), $1.exchangeTime ?? .init())
        return (left.seconds, left.nanos) > (right.seconds, right.nanos)
      }
      return Array(sorted.prefix(limit))
    }
    let instrument = try instruments.find(venue: request.venue, symbol: request.symbol)
    return try state(of: instrument).trades.suffix(limit).reversed()
  }

  /// Checks that every symbol is listed.
  func check(_ symbols: [String]) throws(RPCError) {
    for symbol in symbols where !instruments.all.contains(where: { $0.symbol == symbol }) {
      _ = try instruments.find(venue: "", symbol: symbol)
    }
  }

  private func state(of instrument: Instrument) throws(RPCError) -> BookState {
    guard let state = states[Key(venue: instrument.venue.name, symbol: instrument.symbol)],
      state.version > 0
    else {
      throw RPCError(
        .unavailable, "the book of \(instrument.symbol) has no snapshot yet",
        details: [.retryInfo(delay: .seconds(1))])
    }
    return state
  }

  private func depth(_ request: OrderbookV1.GetBookRequest) throws(RPCError) -> Int {
    guard request.depth <= 5_000 else {
      throw .invalid("depth", "must be from 1 to 5000, not \(request.depth)")
    }
    return request.depth == 0 ? 20 : Int(request.depth)
  }

  private func group(
    _ request: OrderbookV1.GetBookRequest, _ instrument: Instrument
  ) throws(RPCError) -> Price? {
    guard let group = request.group else { return nil }
    return try instrument.price(group, field: "group")
  }

  // MARK: Streams

  func subscribe() throws(RPCError) {
    guard subscribers < config.subscribersMax else {
      throw RPCError(
        .resourceExhausted, "\(config.subscribersMax) streams are open (subscribers_max)")
    }
    subscribers += 1
  }

  func unsubscribe() { subscribers -= 1 }

  /// The newest version of all; waits until it is past `known`. Returns early when cancelled.
  func change(after known: UInt64) async -> UInt64 {
    if version > known || Task.isCancelled { return version }
    lastWaiter += 1
    let id = lastWaiter
    await withTaskCancellationHandler {
      await withCheckedContinuation { waiters[id] = $0 }
    } onCancel: {
      Task { await self.cancelWait(id) }
    }
    return version
  }

  private func cancelWait(_ id: Int) { waiters.removeValue(forKey: id)?.resume() }

  /// Tops that changed after a version; what lies between is conflated.
  func tops(_ symbols: Set<String>, after known: UInt64) -> [OrderbookV1.Top] {
    states.values
      .filter { $0.version > known && (symbols.isEmpty || symbols.contains($0.instrument.symbol)) }
      .sorted { $0.version < $1.version }.map(\.top)
  }

  /// The version of one book.
  func version(of request: OrderbookV1.GetBookRequest) throws(RPCError) -> UInt64 {
    if request.venue.isEmpty, consolidated[request.symbol] != nil {
      return states(of: request.symbol).map(\.version).max() ?? 0
    }
    let instrument = try instruments.find(venue: request.venue, symbol: request.symbol)
    return states[Key(venue: instrument.venue.name, symbol: instrument.symbol)]?.version ?? 0
  }
}

extension Instrument {
  /// (bid + ask) / 2, exact: one decimal more than the price.
  func mid(_ bid: Price, _ ask: Price) -> Decimal {
    Decimal(units: (bid.raw + ask.raw) * 5, scale: min(18, priceScale + 1))
  }
}
