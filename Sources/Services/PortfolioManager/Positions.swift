internal import Calls
internal import Chrono
internal import Contracts
internal import Portfolio
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Units
internal import Venue

/// Every position, folded from the oms's events in their order: the same events give the same
/// positions, so a restart reads them again from the first.
actor Positions {
  private let config: Config
  private var instruments = InstrumentTable()
  private var ledger = PositionLedger()
  /// The newest mark of every market, also of those without a position yet.
  private var marks: [Market: Price] = [:]
  private var tallies: [PositionKey: Tally] = [:]
  private(set) var sequence: UInt64 = 0
  private var version: UInt64 = 0
  private var versions: [PositionKey: UInt64] = [:]
  private var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
  private var lastWaiter = 0
  private var subscribers = 0
  private let fills: Counter
  private let faults: Counter

  /// What a position does not remember of its fills.
  private struct Tally {
    var bought = Quantity.zero
    var sold = Quantity.zero
    var fills: UInt64 = 0
    var updated = Instant.epoch
  }

  init(_ config: Config, _ metrics: MetricsRegistry) {
    self.config = config
    fills = metrics.counter("portfolio_manager_fills_total", help: "Fills counted.")
    faults = metrics.counter(
      "portfolio_manager_faults_total", help: "Fills or marks that a position could not take.")
  }

  // MARK: Events

  /// No venue has told its instruments yet.
  var knowsNothing: Bool { instruments.all.isEmpty }

  func learn(_ known: [MarketV1.Instrument]) throws {
    for wire in known { try instruments.put(wire) }
  }

  func apply(_ event: OmsV1.OrderEvent) throws {
    guard event.sequence > sequence else { return }
    if let execution = event.execution { try book(execution) }
    sequence = event.sequence
  }

  private func book(_ execution: OmsV1.Execution) throws {
    guard let instrument = instruments[execution.venue, execution.symbol] else {
      throw RPCError(
        .failedPrecondition, "\(execution.symbol) of \(execution.venue) is no known instrument")
    }
    let fill = try VenueFill(execution, instrument)
    let side = try Side(execution.side, field: "side")
    guard
      let position = try ledger.apply(
        fill, side: side, account: execution.account, instrument: instrument)
    else { return }
    if position.mark == nil, let mark = marks[position.key.market] {
      try ledger.mark(position.key.market, at: mark, time: fill.exchangeTime)
    }
    fills.increment()
    var tally = tallies[position.key] ?? Tally()
    if side == .buy { tally.bought += fill.quantity } else { tally.sold += fill.quantity }
    tally.fills += 1
    tally.updated = fill.exchangeTime
    tallies[position.key] = tally
    touch(position.key)
  }

  /// Values positions at the mid, rounded down to a price of the instrument.
  func mark(_ top: OrderbookV1.Top, now: Instant) throws {
    guard !top.stale, let instrument = instruments[top.venue, top.symbol],
      let bid = try instrument.raw(top.bidPrice, scale: instrument.priceScale),
      let ask = try instrument.raw(top.askPrice, scale: instrument.priceScale), bid > 0, ask > 0
    else { return }
    let market = Market(instrument)
    let mid = Price(bid + (ask - bid) / 2)
    marks[market] = mid
    do {
      try ledger.mark(market, at: mid, time: now)
    } catch {
      faults.increment()
      throw error
    }
    for position in ledger.positions() where position.key.market == market { touch(position.key) }
  }

  func roll(to now: Instant) throws { try ledger.roll(to: now) }

  private func touch(_ key: PositionKey) {
    version += 1
    versions[key] = version
    let waiting = waiters
    waiters.removeAll(keepingCapacity: true)
    for waiter in waiting.values { waiter.resume() }
  }

  // MARK: Questions

  /// Positions changed after a version, in the order of their change.
  func positions(after known: UInt64, symbol: String) throws -> [PortfolioV1.Position] {
    try ledger.positions()
      .filter { symbol.isEmpty || $0.instrument.symbol == symbol }
      .filter { (versions[$0.key] ?? 0) > known }
      .map(message)
  }

  func portfolio() throws -> PortfolioV1.Portfolio {
    var portfolio = PortfolioV1.Portfolio()
    portfolio.asOfSequence = sequence
    portfolio.positions = try positions(after: 0, symbol: "")
    let totals = try ledger.totals(by: .account)
    let total = totals.first
    if totals.count > 1 {
      throw RPCError(
        .unimplemented,
        "positions in \(totals.map(\.group.quote).joined(separator: ", ")) need currency conversion; "
          + "ask for GET /v1/positions")
    }
    portfolio.currency = total?.group.quote ?? "USDT"
    portfolio.realisedPnl = try wire(total?.realised ?? .zero)
    portfolio.unrealisedPnl = try wire(total?.unrealised ?? .zero)
    portfolio.fees = try wire(total?.fees ?? .zero)
    portfolio.netPnl = try wire(total?.profit ?? .zero)
    portfolio.dailyPnl = try wire(total?.dayProfit ?? .zero)
    portfolio.grossExposure = try wire(total?.grossExposure ?? .zero)
    portfolio.netExposure = try wire(total?.netExposure ?? .zero)
    return portfolio
  }

  private func message(_ position: Position) throws -> PortfolioV1.Position {
    let instrument = position.instrument
    let tally = tallies[position.key] ?? Tally()
    var message = PortfolioV1.Position()
    message.account = position.account
    message.venue = instrument.venue.name
    message.symbol = instrument.symbol
    message.quantity = instrument.wire(position.net)
    message.cost = try instrument.wire(position.cost)
    message.averagePrice = position.averageEntryPrice(scale: min(18, instrument.priceScale + 8))
      .map { TypeV1.Decimal($0) }
    if let mark = position.mark {
      message.markPrice = instrument.wire(mark)
      message.unrealisedPnl = try instrument.wire(position.unrealised)
    }
    message.realisedPnl = try instrument.wire(position.realised)
    message.fees = try wire(position.fees)
    message.boughtQuantity = instrument.wire(tally.bought)
    message.soldQuantity = instrument.wire(tally.sold)
    message.fills = tally.fills
    message.updatedAt = .init(tally.updated)
    message.quoteCurrency = instrument.quote
    return message
  }

  private func wire(_ amount: Amount) throws(RPCError) -> TypeV1.Decimal {
    do throws(DecimalError) {
      return TypeV1.Decimal(try amount.decimal())
    } catch {
      throw RPCError(.outOfRange, "an amount of the portfolio \(error.problem)")
    }
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

  /// The newest version; waits until it is past `known`. Returns early when cancelled.
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
}
