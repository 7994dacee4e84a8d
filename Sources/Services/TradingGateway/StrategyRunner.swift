internal import Calls
internal import Chrono
internal import Contracts
internal import EventBus
internal import Loop
internal import Orders
internal import ServiceKit
internal import Signals
internal import Telemetry
internal import Translation
internal import Units
internal import Venue

/// One strategy: hears the bus, decides, and has its orders sent through the gate like everybody's.
actor StrategyRunner {
  nonisolated let id: String
  private let config: Config
  private let context: ServiceContext
  private let desk: TradingDesk
  private let signals: SignalLog
  private var strategy: Strategy?
  private var instrument: Instrument?
  private(set) var isRunning = false
  /// Counts the starts: who hears the bus for an earlier one ends.
  private var run: UInt64 = 0
  private var status = "stopped"
  private var ordersSent: UInt64 = 0
  private var fills: UInt64 = 0
  private var isBusy = false
  private var isDirty = false
  /// Somebody sees to it that no order of it is left.
  private var isClearing = false

  init(_ config: Config, _ context: ServiceContext, _ desk: TradingDesk, _ signals: SignalLog) {
    self.config = config
    self.context = context
    self.desk = desk
    self.signals = signals
    self.id = "mm-\(config.makerSymbol.lowercased())"
  }

  // MARK: Life

  func start() async throws {
    guard !isRunning else { return }
    let instrument = try await desk.instrument(config.makerSymbol)
    strategy = .marketMaker(MarketMaker(try settings(instrument)))
    self.instrument = instrument
    isRunning = true
    run += 1
    status = "waiting for the market"
    context.log.info("strategy started", ["strategy": .text(id)])
    // A strategy that does not run costs the bus, and so every order, nothing.
    let events = desk.bus.subscribe(id)
    context.spawn("run \(id)") { [self, run] in await follow(events, run) }
  }

  /// No more quotes, and the standing ones are cancelled, also those that are on their way: it is asked
  /// for until none is left. Throws when the oms does not answer the first time; a second stop asks anew.
  func stop() async throws {
    if isRunning {
      isRunning = false
      status = "stopped"
      context.log.info("strategy stopped", ["strategy": .text(id)])
    }
    clear()
    try await desk.cancelAll(strategy: id, reason: Self.stopped)
  }

  private static let stopped = "strategy stopped"

  private func clear() {
    guard !isClearing else { return }
    isClearing = true
    context.spawn("clear \(id)") { [self] in
      var pause = Self.clearingPauseMin
      repeat {
        await context.loop.sleep(for: pause)
        try Task.checkCancellation()
        pause = min(pause * 2, Self.clearingPauseMax)
      } while await !clearOnce()
    }
  }

  private static let clearingPauseMin = Duration.milliseconds(50)
  private static let clearingPauseMax = Duration.seconds(2)

  /// True when there is nothing left to be done.
  private func clearOnce() async -> Bool {
    guard !isRunning else {
      isClearing = false
      return true
    }
    // A decision of before the stop may still send one.
    if isBusy { return false }
    if await desk.hasOrders(of: id) {
      do { try await desk.cancelAll(strategy: id, reason: Self.stopped) } catch {
        context.log.warning(
          "quotes could not be cancelled, and are asked for again",
          ["strategy": .text(id), "error": LogValue(describing: error)])
      }
      return false
    }
    isClearing = false
    return true
  }

  private func settings(_ instrument: Instrument) throws -> MarketMakerSettings {
    let terms = config.maker
    do throws(StrategySettingsFault) {
      return try MarketMakerSettings(
        fairPrice: .microprice, halfSpreadTicks: Int64(terms.halfSpreadTicks),
        size: try quantity(terms.size, instrument, "maker_size"),
        maxPosition: try quantity(terms.maxPosition, instrument, "maker_max_position"),
        skewTicksMax: Int64(terms.skewTicksMax), requoteTicks: Int64(terms.requoteTicks),
        requoteInterval: terms.requoteInterval, bookAgeMax: terms.bookAgeMax)
    } catch {
      throw RPCError(.failedPrecondition, "the settings of \(id): \(error.problem)")
    }
  }

  private func quantity(
    _ decimal: Decimal, _ instrument: Instrument, _ setting: String
  ) throws(StrategySettingsFault) -> Quantity {
    do throws(RejectReason) { return try instrument.quantity(decimal) } catch {
      throw .notPositive(
        "\(setting) (\(decimal) is no multiple of the lot \(instrument.decimal(instrument.lotSize)))"
      )
    }
  }

  // MARK: Deciding

  /// Hears the bus until it ends, or this run does.
  private func follow(_ events: BusSubscription<TradingEvent>, _ run: UInt64) async {
    while isRunning, run == self.run, let event = await events.next() {
      guard isRunning, run == self.run, let instrument else { return }
      switch event {
      case .marketUpdate(let id, _, let arrival) where id == instrument.id: await decide(arrival)
      case .executionReport(let report) where report.order?.strategyId == id:
        if report.execution != nil { fills += 1 }
        await decide()
      case .marketUpdate, .executionReport, .signal, .orderRequest, .riskAlert: continue
      }
    }
  }

  /// One decision at a time; what happens meanwhile leads to another one behind it.
  private func decide(_ arrival: PriceArrival? = nil) async {
    isDirty = true
    guard !isBusy else { return }
    isBusy = true
    var arrival = arrival
    while isDirty, isRunning, let instrument {
      isDirty = false
      let view = await desk.view(of: id, instrument)
      if let price = arrival, view.top != nil { desk.spans.reachedStrategy(price, at: view.now) }
      arrival = nil
      let actions = strategy?.decide(view) ?? []
      status = view.top == nil ? "waiting: the book is not to be trusted" : "quoting"
      for action in actions {
        // It may have been stopped while the one before was under way.
        guard isRunning else { break }
        await carryOut(action, instrument)
      }
    }
    isBusy = false
  }

  private func carryOut(_ action: StrategyAction, _ instrument: Instrument) async {
    do {
      switch action {
      case .place(let side, let price, let quantity):
        try await place(side, price, quantity, instrument)
      case .replace(let id, let price, let quantity):
        var request = TradingV1.ReplaceOrderRequest()
        request.orderId = id.description
        request.price = instrument.wire(price)
        request.quantity = instrument.wire(quantity)
        _ = try await desk.replace(request, CallOptions())
      case .cancel(let id): try await desk.cancel(id)
      }
    } catch {
      // The order may have filled or gone meanwhile: the next view tells.
      status = "\(error)"
    }
  }

  private func place(
    _ side: Side, _ price: Price, _ quantity: Quantity, _ instrument: Instrument
  ) async throws {
    var signal = TradingV1.Signal()
    signal.time = .init(context.time.now)
    signal.strategyId = id
    signal.venue = instrument.venue.name
    signal.symbol = instrument.symbol
    signal.side = TypeV1.Side(side)
    signal.price = instrument.wire(price)
    signal.quantity = instrument.wire(quantity)
    var request = TradingV1.SubmitOrderRequest()
    request.venue = signal.venue
    request.symbol = signal.symbol
    request.side = signal.side
    request.type = .limit
    request.timeInForce = .postOnly
    request.price = signal.price
    request.quantity = signal.quantity
    do {
      _ = try await desk.submit(request, strategy: id, createdBy: id, CallOptions())
      ordersSent += 1
      signal.outcome = "submitted"
      signals.add(signal)
    } catch {
      signal.outcome = "refused: \((error as? RPCError)?.message ?? "\(error)")"
      signals.add(signal)
      throw error
    }
  }

  var message: TradingV1.Strategy {
    get async {
      var message = TradingV1.Strategy()
      message.strategyId = id
      message.kind = StrategyKind.marketMaker.rawValue
      message.symbol = config.makerSymbol
      message.running = isRunning
      message.ordersSent = ordersSent
      message.fills = fills
      message.status = status
      if let instrument {
        message.venue = instrument.venue.name
        message.position = instrument.wire(await desk.view(of: id, instrument).position)
      }
      return message
    }
  }
}
