internal import Bytes
internal import Calls
internal import Chrono
internal import Contracts
internal import EventBus
internal import Loop
internal import Mutants
internal import Orders
internal import Portfolio
internal import Risk
internal import ServiceKit
internal import Signals
internal import Telemetry
internal import Translation
internal import Units
internal import Venue

/// The orchestrator's one writer: the gate, the tops, the open orders, and the bus that tells of them.
actor TradingDesk {
  nonisolated let bus: PriorityBus<TradingEvent>
  nonisolated let killSwitch: KillSwitch
  nonisolated let kill: KillKeeper
  nonisolated let clearance: OrderClearance
  nonisolated let hold: VenueHold
  let config: Config
  let context: ServiceContext
  let oms: OmsV1.OrderServiceClient
  private(set) var instruments = InstrumentTable()
  var book: GateBook?
  var venueRates = VenueOrderRates()
  var venueClosures = VenueClosures()
  /// When the market-connector's newest answer was asked for; nil before the first.
  var marketHeard: Uptime?
  private var limits: RiskLimits?
  var limitsHeard: Uptime?
  var tops: [InstrumentID: TopOfBook] = [:]
  /// The ring's instruments by their numbers there; nil for what is not traded here.
  var ringInstruments: [UInt16: Instrument?] = [:]
  nonisolated let spans: PriceSpans
  /// The newest top of each market that is not known: no more than the orderbook has.
  var early: [InstrumentTable.Key: OrderbookV1.Top] = [:]
  private(set) var lastEvent: UInt64 = 0
  var isSynced = false
  var syncedSince: Uptime?
  /// For how long the oms's events have not been heard.
  private(set) var silence: @Sendable (Uptime) -> Duration = { _ in .zero }
  var day: TradingDay
  private let counters = RiskCounters()
  private let events: [TradingEvent.Kind: Counter]
  let admission: Histogram

  init(_ config: Config, _ context: ServiceContext) throws {
    self.config = config
    self.context = context
    killSwitch = KillSwitch()
    kill = try KillKeeper(killSwitch, context)
    clearance = OrderClearance(killSwitch, context)
    hold = VenueHold(killSwitch, context)
    day = try TradingDay(context)
    self.bus = BusLane.bus(config)
    self.oms = .init(channel: context.channel(to: "oms"))
    let events = context.metrics.counters(
      "trading_gateway_events_total", help: "Events on the bus.", labels: ["kind"])
    self.events = Dictionary(
      uniqueKeysWithValues: TradingEvent.Kind.allCases.map { ($0, events.with($0.rawValue)) })
    self.admission = context.metrics.histogram(
      "trading_gateway_admission_seconds", help: "Time of a decision of the risk gate.",
      bounds: [1e-7, 2.5e-7, 5e-7, 1e-6, 2.5e-6, 5e-6, 1e-5, 1e-4, 1e-3])
    self.spans = PriceSpans(context.metrics)
    Self.register(counters, in: context.metrics)
    Self.register(bus, in: context.metrics)
  }

  private static func register(_ counters: RiskCounters, in metrics: MetricsRegistry) {
    metrics.counter(
      "trading_gateway_orders_admitted_total", help: "Orders that the risk gate admitted."
    ) { Double(counters.admittedCount) }
    for rule in RiskRule.allCases {
      metrics.counter(
        "trading_gateway_orders_refused_by_\(rule.name)_total",
        help: "Orders that the risk gate refused by the rule \(rule.name)."
      ) { Double(counters.refusedCount(by: rule)) }
    }
    metrics.gauge(
      "trading_gateway_refusal_ratio", help: "Refused orders of all, 0 to 1."
    ) { Double(counters.refusedPartsPerMillion) / 1_000_000 }
  }

  private static func register(_ bus: PriorityBus<TradingEvent>, in metrics: MetricsRegistry) {
    for lane in BusLane.allCases {
      metrics.counter(
        "trading_gateway_bus_\(lane.name)_refused_total",
        help: "Events of the lane \(lane.name) that found no room and that nobody got."
      ) { Double(bus.counts(of: lane.rawValue).refused) }
      metrics.counter(
        "trading_gateway_bus_\(lane.name)_overrun_total",
        help: "Events of the lane \(lane.name) that a slow subscriber lost."
      ) { Double(bus.counts(of: lane.rawValue).overrun) }
    }
  }

  // MARK: What it is told

  func learn(_ known: [MarketV1.Instrument]) throws {
    marketHeard = context.loop.uptime
    // The gate counts in one currency: what is quoted in another is not traded here.
    let currency = RiskLimits.standard.currency
    for wire in known where wire.quoteAsset == currency {
      try instruments.learn(wire)
      let limits = try wire.orderLimits.map { wire throws(RPCError) in try OrderLimit(wire) }
      if let instrument = instruments[wire.venue, wire.symbol] {
        venueRates.set(limits, of: instrument)
      }
    }
    try grow()
  }

  /// Which markets are open now, as their venues say, and which venues take orders. `began`: when that was
  /// asked.
  func hearStates(_ known: MarketV1.ListInstrumentsResponse, since began: Uptime) {
    marketHeard = began
    for wire in known.instruments {
      guard let instrument = instruments[wire.venue, wire.symbol] else { continue }
      book?.gate.setTrading(instrument.id, isOpen: wire.trading)
    }
    venueClosures.set(
      Dictionary(
        known.closures.map { wire in
          let time = Duration.milliseconds(Int64(clamping: wire.forMs))
          return (
            VenueID(wire.venue),
            VenueClosures.Closure(
              RejectReason(wire.rejectReason) ?? .venueUnavailable, wire.reason,
              until: began + time)
          )
        }, uniquingKeysWith: { $1 }))
  }

  private func grow() throws {
    // A venue that came late brings its own; what is reserved and earned stays.
    if let book, book.gate.instrumentCount < instruments.all.count {
      try self.book?.grow(to: instruments.all)
      restoreDayMarks()
    } else {
      try makeGate()
    }
    // The ring's numbers of what was not traded here may be traded now.
    ringInstruments.removeAll(keepingCapacity: true)
    takeEarly()
  }

  /// The kill switch alone, at once: it waits for nobody's turn.
  nonisolated func hear(_ wire: RiskV1.KillSwitch) {
    let wasEngaged = killSwitch.isEngaged
    if Mutant.isOn(.killSwitchUnheard) { return }
    kill.hear(wire)
    if killSwitch.isEngaged != wasEngaged { hold.ring() }
    guard killSwitch.isEngaged, !wasEngaged else { return }
    clearance.ring()
    context.log.warning(
      "kill switch engaged: every open order is cancelled",
      ["by": .text(wire.actor), "reason": .text(wire.reason)])
  }

  /// Whoever carries it through is told.
  nonisolated func killSwitchChanged() {
    hold.ring()
    clearance.ring()
  }

  /// Limits; false when these are none yet.
  func take(_ wire: RiskV1.Limits) throws -> Bool {
    guard wire.account != nil else { return false }
    let fresh = try RiskLimits(wire)
    limitsHeard = context.loop.uptime
    if fresh != limits {
      limits = fresh
      if let book { try book.gate.apply(fresh) } else { try makeGate() }
      takeEarly()
    }
    try follow(wire.tradingState, wire.dailyLossReset)
    return true
  }

  private func makeGate() throws {
    guard book == nil, let limits, !instruments.all.isEmpty else { return }
    let gate = try RiskGate(
      account: config.account, instruments: instruments.all, limits: limits,
      killSwitch: killSwitch, counters: counters)
    book = GateBook(gate, ordersMax: config.ordersOpenMax)
    beginDay()
  }

  var hasGate: Bool { book != nil }
  var openCount: Int { book?.openCount ?? 0 }

  /// Tops that came before their instruments did.
  private func takeEarly() {
    guard hasGate else { return }
    for (key, top) in early where instruments[key.venue, key.symbol] != nil {
      early[key] = nil
      take(top)
    }
  }

  /// Returns when subscribers have room for it.
  func take(_ event: OmsV1.OrderEvent) async throws {
    guard event.sequence > lastEvent, let wire = event.order else { return }
    guard let instrument = try instrument(of: wire, event) else {
      // What is quoted in another currency is not traded here.
      return pass(event.sequence)
    }
    guard book != nil else {
      throw RPCError(.failedPrecondition, "\(wire.symbol) of \(wire.venue) is no known instrument")
    }
    guard let order = try OpenOrder(wire, instrument) else { return }
    let time = try Instant(event.time, field: "time")
    if let time { book!.gate.roll(to: time) }
    book!.refile(order)
    if let execution = event.execution {
      book!.fill(order, try VenueFill(execution, instrument), instrument, at: time)
    }
    book!.follow(order)
    lastEvent = event.sequence
    if killSwitch.isEngaged, !order.isDone { clearance.ring() }
    book!.heard(through: lastEvent)
    let report = TradingEvent.executionReport(event)
    events[report.kind]?.increment()
    try await bus.publish(report, on: BusLane.orders.rawValue)
  }

  /// What an order is counted under: what it was made under, whatever is listed by now. Where that is
  /// not known any more, or not yet, it is learned from the terms that the event carries.
  private func instrument(
    of wire: OmsV1.Order, _ event: OmsV1.OrderEvent
  ) throws -> Instrument? {
    if let id = OrderID(parsing: wire.orderId), let known = book?.orders[id] {
      let instrument = instruments[known.instrument]
      // A market order has no price that would have told under which terms it was made; its fill has.
      guard let told = event.execution?.price, told.scale != UInt32(instrument.priceScale) else {
        return instrument
      }
    }
    if let fitting = instruments.instrument(of: wire, event.execution) {
      return fitting
    }
    guard var terms = event.terms else { return instruments[wire.venue, wire.symbol] }
    guard terms.quoteAsset == RiskLimits.standard.currency else { return nil }
    // Those of today where its own are not known any more; its numbers say how they are counted.
    if let price = wire.price ?? event.execution?.price { terms.priceScale = price.scale }
    if let quantity = wire.quantity { terms.quantityScale = quantity.scale }
    let instrument = try instruments.remember(MarketV1.Instrument(wire, terms))
    try grow()
    return instrument
  }

  /// An event that changes nothing here.
  private func pass(_ sequence: UInt64) {
    lastEvent = sequence
    book?.heard(through: sequence)
  }

  func hearOrders(_ silence: @escaping @Sendable (Uptime) -> Duration) { self.silence = silence }

  func setSynced(_ synced: Bool) {
    isSynced = synced
    syncedSince = synced ? syncedSince ?? context.loop.uptime : nil
    watchLoss()
  }

  func publish(_ event: TradingEvent) {
    events[event.kind]?.increment()
    let (lane, key) = event.lane
    do throws(TopicError) { try bus.publishNow(event, on: lane.rawValue, key: key) } catch {
      // Its lane has counted it; orders go on without.
      context.log.debug("the event bus refused an event", ["error": LogValue(describing: error)])
    }
  }

  /// Under all terms that its name has had, in lots of those in force: what is less than one is left
  /// out.
  private func position(in instrument: Instrument) -> Quantity {
    guard let gate = book?.gate else { return .zero }
    var position = gate.exposure(of: instrument.id)?.position ?? .zero
    for before in instruments.earlier(than: instrument) {
      guard let held = gate.exposure(of: before.id)?.position, held != .zero else { continue }
      position += before.quantity(held, in: instrument)
    }
    return position
  }

  // MARK: For strategies

  func instrument(_ symbol: String) throws(RPCError) -> Instrument {
    try instruments.find(venue: "", symbol: symbol, standard: config.defaultVenue)
  }

  func view(of strategy: String, _ instrument: Instrument) -> StrategyView {
    return StrategyView(
      instrument: instrument, top: tops[instrument.id], position: position(in: instrument),
      quotes: book?.quotes(of: strategy, instrument.id) ?? [],
      now: context.time.now)
  }
}

extension MarketV1.Instrument {
  /// What an order's event tells of its instrument; its steps are unknown, and taken as the smallest.
  fileprivate init(_ order: OmsV1.Order, _ terms: OmsV1.InstrumentTerms) {
    self.init()
    venue = order.venue
    symbol = order.symbol
    venueSymbol = order.symbol
    baseAsset = terms.baseAsset
    quoteAsset = terms.quoteAsset
    priceScale = terms.priceScale
    quantityScale = terms.quantityScale
    trading = true
  }
}
