internal import Bytes
internal import Calls
internal import Chrono
internal import Contracts
internal import EventBus
internal import Loop
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
  nonisolated let killSwitch = KillSwitch()
  private let config: Config
  let context: ServiceContext
  private let oms: OmsV1.OrderServiceClient
  private(set) var instruments = InstrumentTable()
  private(set) var book: GateBook?
  private var limits: RiskLimits?
  private var limitsHeard: Uptime?
  var tops: [InstrumentID: TopOfBook] = [:]
  /// The ring's instruments by their numbers there; nil for what is not traded here.
  var ringInstruments: [UInt16: Instrument?] = [:]
  nonisolated let spans: PriceSpans
  /// The newest top of each market that is not known: no more than the orderbook has.
  var early: [InstrumentTable.Key: OrderbookV1.Top] = [:]
  private(set) var lastEvent: UInt64 = 0
  private var isSynced = false
  private let counters = RiskCounters()
  private let events: CounterFamily
  private let admission: Histogram

  init(_ config: Config, _ context: ServiceContext) {
    self.config = config
    self.context = context
    self.bus = BusLane.bus(config)
    self.oms = .init(channel: context.channel(to: "oms"))
    self.events = context.metrics.counters(
      "trading_gateway_events_total", help: "Events on the bus.", labels: ["kind"])
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
    // The gate counts in one currency: what is quoted in another is not traded here.
    let currency = RiskLimits.standard.currency
    for wire in known where wire.quoteAsset == currency { try instruments.put(wire) }
    // A venue that came late brings its own; what is reserved and earned stays.
    if let book, book.gate.instrumentCount < instruments.all.count {
      try self.book?.grow(to: instruments.all)
    } else {
      try makeGate()
    }
    // The ring's numbers of what was not traded here may be traded now.
    ringInstruments.removeAll(keepingCapacity: true)
    try takeEarly()
  }

  /// New limits; true when the kill switch was engaged by them.
  func take(_ wire: RiskV1.Limits) throws -> Bool {
    let fresh = try RiskLimits(wire)
    limitsHeard = context.loop.uptime
    let wasEngaged = killSwitch.isEngaged
    if wire.killSwitch?.engaged == true { killSwitch.engage() } else { killSwitch.release() }
    if fresh != limits {
      limits = fresh
      if let book { try book.gate.apply(fresh) } else { try makeGate() }
      try takeEarly()
    }
    return killSwitch.isEngaged && !wasEngaged
  }

  private func makeGate() throws {
    guard book == nil, let limits, !instruments.all.isEmpty else { return }
    let gate = try RiskGate(
      account: config.account, instruments: instruments.all, limits: limits,
      killSwitch: killSwitch, counters: counters)
    book = GateBook(gate, ordersMax: config.ordersOpenMax)
  }

  var hasGate: Bool { book != nil }

  /// Tops that came before their instruments did.
  private func takeEarly() throws {
    guard hasGate else { return }
    for (key, top) in early where instruments[key.venue, key.symbol] != nil {
      early[key] = nil
      try take(top)
    }
  }

  /// Returns when subscribers have room for it.
  func take(_ event: OmsV1.OrderEvent) async throws {
    guard event.sequence > lastEvent, let wire = event.order else { return }
    guard let instrument = instruments[wire.venue, wire.symbol], book != nil else {
      throw RPCError(.failedPrecondition, "\(wire.symbol) of \(wire.venue) is no known instrument")
    }
    guard let order = try OpenOrder(wire, instrument) else { return }
    if let time = event.time { book!.gate.roll(to: try Instant(time, field: "time")) }
    if let execution = event.execution {
      book!.fill(order, try VenueFill(execution, instrument), instrument)
    }
    book!.follow(order)
    lastEvent = event.sequence
    book!.heard(through: lastEvent)
    let report = TradingEvent.executionReport(event)
    events.with(report.kind).increment()
    try await bus.publish(report, on: BusLane.orders.rawValue)
  }

  func setSynced(_ synced: Bool) { isSynced = synced }

  func publish(_ event: TradingEvent) {
    events.with(event.kind).increment()
    let (lane, key) = event.lane
    do throws(TopicError) { try bus.publishNow(event, on: lane.rawValue, key: key) } catch {
      // Its lane has counted it; orders go on without.
      context.log.debug("the event bus refused an event", ["error": LogValue(describing: error)])
    }
  }

  // MARK: Orders

  /// What `submit` would answer now. It changes nothing: no reservation, no rate, no counter.
  func check(_ request: TradingV1.SubmitOrderRequest) throws -> TradingV1.CheckOrderResponse {
    try requireSynced()
    let ticket = try ticket(request, fallbackID: "check")
    try requireFreshLimits()
    try requireRoom()
    var response = TradingV1.CheckOrderResponse()
    switch book!.check(ticket, now: context.loop.uptime) {
    case .accepted: response.admitted = true
    case .refused(let refusal):
      response.reason = TypeV1.RejectReason(refusal.reason)
      response.text = text(refusal)
      let (actual, limit) = numbers(refusal)
      (response.actual, response.limit) = (actual, limit)
    }
    return response
  }

  private func ticket(
    _ request: TradingV1.SubmitOrderRequest, fallbackID: String
  ) throws(RPCError) -> OrderTicket {
    let ticket = try OrderTicket(
      request, instruments, defaultVenue: config.defaultVenue, fallbackID: fallbackID)
    try ticket.checkNotional(at: tops[ticket.instrument.id])
    return ticket
  }

  /// Through the gate, to the oms, answered when the order is on disk.
  func submit(
    _ request: TradingV1.SubmitOrderRequest, strategy: String, createdBy: String,
    _ options: CallOptions
  ) async throws -> OmsV1.Order {
    try requireSynced()
    let ticket = try ticket(request, fallbackID: Self.freshID(strategy))
    let wish = OrderWish(
      ticket: ticket, strategy: strategy, createdBy: createdBy,
      isNamed: !request.clientOrderId.isEmpty, options: options)
    publish(
      .orderRequest(clientOrderID: ticket.clientOrderID, ticket.instrument.id, strategy: strategy))
    if case .open = book!.standing(ticket, strategy: strategy),
      let known = try await existing(wish)
    {
      return known
    }
    do {
      try admit(wish)
    } catch {
      // A retry of an order that the oms has is no new order and needs no admission.
      if wish.isNamed, let known = try await known(wish, unless: error) { return known }
      throw error
    }
    return try await accept(wish)
  }

  /// Asks the gate; an admitted order has its exposure reserved.
  private func admit(_ wish: OrderWish) throws(RPCError) {
    let ticket = wish.ticket
    let standing = book!.standing(ticket, strategy: wish.strategy)
    if case .provisional(asksTheSame: false) = standing {
      throw RejectReason.duplicateOrder.error(
        "clientOrderId \(ticket.clientOrderID) is an order on its way to the oms, with other terms",
        domain: Self.domain)
    }
    try requireFreshLimits()
    let began = context.loop.uptime
    let verdict: Verdict
    if case .provisional = standing {
      verdict = book!.readmit(ticket, now: began)
    } else {
      try requireRoom()
      verdict = book!.admit(ticket, strategy: wish.strategy, now: began)
    }
    admission.observe(context.loop.uptime - began)
    if case .refused(let refusal) = verdict { throw error(refusal) }
  }

  private func requireRoom() throws(RPCError) {
    guard book!.openCount < config.ordersOpenMax else {
      throw RejectReason.overloaded.error(
        "\(config.ordersOpenMax) orders are open (orders_open_max)", domain: Self.domain,
        metadata: ["limit": "\(config.ordersOpenMax)"])
    }
  }

  /// An admitted order, to the oms.
  private func accept(_ wish: OrderWish) async throws -> OmsV1.Order {
    do {
      var request = OmsV1.AcceptOrderRequest()
      request.order = wish.order(account: config.account)
      request.admittedTimeNs = UInt64(max(0, context.time.now.nanoseconds))
      let response = try await oms.acceptOrder(request, bounded(wish.options))
      return try settle(response, wish)
    } catch {
      unsettled(wish, error)
      throw error
    }
  }

  /// The order that the oms has under this client order id; nil when there is none. The oms compares
  /// the terms, and makes no order.
  private func existing(_ wish: OrderWish) async throws -> OmsV1.Order? {
    var request = OmsV1.AcceptOrderRequest()
    request.order = wish.order(account: config.account)
    request.existingOnly = true
    let response: OmsV1.AcceptOrderResponse
    do throws(RPCError) {
      response = try await oms.acceptOrder(request, bounded(wish.options))
    } catch {
      if error.code == .notFound { return nil }
      throw error
    }
    return try settle(response, wish)
  }

  /// `existing`, where the answer to the caller is `refusal` unless the oms knows better.
  private func known(_ wish: OrderWish, unless refusal: any Error) async throws -> OmsV1.Order? {
    do {
      return try await existing(wish)
    } catch let error as RPCError where error.code == .alreadyExists {
      throw error
    } catch {
      throw refusal
    }
  }

  private func bounded(_ options: CallOptions) -> CallOptions {
    var options = options
    let limit = context.loop.uptime + config.acceptTimeout
    options.deadline = min(options.deadline ?? limit, limit)
    return options
  }

  /// The oms's answer and its stream may come in either order; both lead here.
  private func settle(
    _ response: OmsV1.AcceptOrderResponse, _ wish: OrderWish
  ) throws -> OmsV1.Order {
    guard let wire = response.order, let order = try OpenOrder(wire, wish.ticket.instrument) else {
      throw RPCError(.internalError, "the oms answers no order")
    }
    book!.answered(order, through: response.sequence, heard: lastEvent)
    return wire
  }

  /// A call that failed: what is proven is released, what is not stays reserved until the oms is asked.
  private func unsettled(_ wish: OrderWish, _ error: any Error) {
    let id = wish.ticket.clientOrderID
    switch (error as? RPCError)?.code ?? .unknown {
    case .invalidArgument, .failedPrecondition, .alreadyExists, .permissionDenied, .unauthenticated,
      .unimplemented, .resourceExhausted, .outOfRange, .aborted:
      book!.refused(id)
    default:
      context.log.warning(
        "an order's fate is open",
        ["client_order_id": .text(id), "error": LogValue(describing: error)])
      guard book!.doubted(id) else { return }
      context.spawn("resolve order") { [self] in try await resolve(wish) }
    }
  }

  /// Asks the oms until it has told the order, or can no longer come to have it: an admission of its
  /// age is refused there (`admission_age_max`).
  private func resolve(_ wish: OrderWish) async throws {
    let began = context.loop.uptime
    var asking = wish
    asking.options = CallOptions()
    while book!.provisional[wish.ticket.clientOrderID]?.endsWith == nil,
      book!.provisional[wish.ticket.clientOrderID] != nil
    {
      await context.loop.sleep(for: .milliseconds(500))
      try Task.checkCancellation()
      asking.options.waitsForReady = true
      let isLate = context.loop.uptime - began >= config.resolveAfter
      guard try await existing(asking) == nil, isLate else { continue }
      // A later call of the same order may be under way: then it is not over yet.
      if book!.proveAbsent(wish.ticket.clientOrderID) { return }
    }
  }

  func replace(
    _ request: TradingV1.ReplaceOrderRequest, _ options: CallOptions
  ) async throws -> OmsV1.Order {
    try requireSynced()
    try requireFreshLimits()
    guard request.price != nil || request.quantity != nil else {
      throw RPCError.invalid("price", "or quantity is needed: there is nothing to change")
    }
    guard let id = OrderID(parsing: request.orderId), let order = book!.orders[id] else {
      var get = OmsV1.GetOrderRequest()
      get.orderId = request.orderId
      let known = try await oms.getOrder(get, options)
      throw RPCError(
        .failedPrecondition, "order \(known.orderId) is \(known.status.name) and cannot be replaced"
      )
    }
    guard !book!.isReplacing(id) else {
      throw RPCError(.failedPrecondition, "order \(id) is being replaced, and not yet answered")
    }
    let instrument = instruments[order.instrument]
    let price = try request.price.map { try instrument.price($0, field: "price") } ?? order.price
    let quantity =
      try request.quantity.map { try instrument.quantity($0, field: "quantity") } ?? order.quantity
    if price == order.price, quantity == order.quantity {
      // Nothing to change, and asking for it would cost the order its place in the queue.
      var get = OmsV1.GetOrderRequest()
      get.orderId = request.orderId
      return try await oms.getOrder(get, options)
    }
    guard quantity > order.filled else {
      throw RPCError.invalid(
        "quantity", "must exceed what has filled, \(instrument.decimal(order.filled))")
    }
    let gateOrder = GateOrder(
      instrument: order.instrument, side: order.side, type: price == nil ? .market : .limit,
      price: price, quantity: quantity - order.filled)
    let verdict = book!.replace(
      id, gateOrder, quantity: quantity, now: context.loop.uptime)
    if case .refused(let refusal) = verdict { throw error(refusal) }
    var accept = OmsV1.AcceptReplaceRequest()
    accept.orderId = request.orderId
    accept.price = request.price
    accept.quantity = request.quantity
    do {
      let accepted = try await oms.acceptReplace(accept, options)
      book!.expect(id, version: accepted.version)
      return accepted
    } catch {
      book!.giveUpReplacing(id)
      // What the replacement had reserved beyond the order goes back with the order's next event, or
      // now, when the oms has refused.
      if error.code == .failedPrecondition || error.code == .invalidArgument,
        let current = book!.orders[id]
      {
        book!.follow(current)
      }
      throw error
    }
  }

  func cancel(_ id: OrderID) async throws {
    var request = OmsV1.CancelOrderRequest()
    request.orderId = id.description
    request.reason = "strategy"
    _ = try await oms.cancelOrder(request)
  }

  func cancelAll(strategy: String, reason: String) async throws {
    var request = OmsV1.CancelAllOrdersRequest()
    request.strategyId = strategy
    request.reason = reason
    var options = CallOptions(deadline: context.loop.uptime + .seconds(10))
    options.waitsForReady = true
    _ = try await oms.cancelAllOrders(request, options)
  }

  // MARK: Refusals

  static let domain = "risk.shrivenquant"

  private func error(_ refusal: Refusal) -> RPCError {
    let text = text(refusal)
    let (actual, limit) = numbers(refusal)
    publish(.riskAlert(refusal.reason, text: text))
    let wait: Duration? =
      switch refusal.rule {
      case .ordersPerSecond: .seconds(1)
      case .ordersPerMinute: .seconds(60)
      default: nil
      }
    return refusal.reason.error(
      text, domain: Self.domain,
      metadata: ["actual": actual, "limit": limit, "rule": refusal.rule.name],
      retryAfter: wait)
  }

  private func text(_ refusal: Refusal) -> String {
    book?.gate.text(of: refusal) ?? refusal.reason.name
  }

  private func numbers(_ refusal: Refusal) -> (actual: String, limit: String) {
    guard let book, instruments.all.indices.contains(Int(refusal.instrument.index)) else {
      return ("\(refusal.actual)", "\(refusal.limit)")
    }
    let instrument = instruments[refusal.instrument]
    let scale: UInt8 =
      switch refusal.rule {
      case .orderSize, .position, .tradingState: instrument.quantityScale
      case .notional: instrument.notionalScale
      case .dailyLoss, .grossExposure: book.gate.moneyScale
      case .priceBand: instrument.priceScale
      case .killSwitch, .wellFormed, .ordersPerSecond, .ordersPerMinute: 0
      }
    func plain(_ units: Int128) -> String {
      Amount(units: units, scale: scale).normalized.description
    }
    return (plain(refusal.actual), plain(refusal.limit))
  }

  private func requireSynced() throws(RPCError) {
    guard isSynced, book != nil else {
      throw RejectReason.reconciling.error(
        "the trading-gateway is still reading the oms's journal", domain: Self.domain,
        retryAfter: .seconds(1))
    }
  }

  private func requireFreshLimits() throws(RPCError) {
    let now = context.loop.uptime
    guard let limitsHeard, now - limitsHeard <= config.riskSilenceMax else {
      throw RejectReason.riskTimeout.error(
        "the risk-manager has been silent for more than \(config.riskSilenceMax)",
        domain: Self.domain, retryAfter: .seconds(1))
    }
  }

  private static func freshID(_ strategy: String) -> String {
    var random = SystemRandomNumberGenerator()
    let digits = String(random.next(), radix: 36)
    return (strategy.isEmpty ? "c-" : "s-") + digits
  }

  // MARK: For strategies

  func instrument(_ symbol: String) throws(RPCError) -> Instrument {
    try instruments.find(venue: "", symbol: symbol, standard: config.defaultVenue)
  }

  func view(of strategy: String, _ instrument: Instrument) -> StrategyView {
    let position = book?.gate.exposure(of: instrument.id)?.position ?? .zero
    return StrategyView(
      instrument: instrument, top: tops[instrument.id], position: position,
      quotes: book?.quotes(of: strategy, instrument.id) ?? [],
      now: context.time.now)
  }
}
