internal import Calls
internal import Chrono
package import Contracts
internal import Portfolio
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Units
internal import Venue

/// Every position, folded from the oms's events in their order: the same events give the same
/// positions, so a restart reads them again from the first. An event is complete in itself: what is
/// listed today, and with which steps, changes nothing of what was.
actor Positions {
  private var ledger = PositionLedger()
  /// The newest mark of every market, also of those without a position yet.
  private var marks: [Market: Amount] = [:]
  /// All events have been read that there are: what a market is worth now, and which day it is, counts from
  /// then on. Days that are folded are valued by their own fills.
  private var isCurrent = false
  private var tallies: [PositionKey: Tally] = [:]
  private var versions: [PositionKey: UInt64] = [:]
  private var version: UInt64 = 0
  /// Up to which event the positions are complete.
  private(set) var sequence: UInt64 = 0
  /// Grows when the positions are folded from the beginning: what was read of them before is void.
  private(set) var fold: UInt64 = 0
  nonisolated let changes: Watched<Void>
  private let fills: Counter
  private let faults: Counter

  /// What a position does not remember of its fills.
  private struct Tally {
    var bought = Amount.zero
    var sold = Amount.zero
    var fills: UInt64 = 0
    var updated = Instant.epoch
  }

  init(_ config: Config, _ metrics: MetricsRegistry) {
    changes = Watched((), subscribersMax: config.subscribersMax)
    fills = metrics.counter("portfolio_manager_fills_total", help: "Fills counted.")
    faults = metrics.counter(
      "portfolio_manager_faults_total", help: "Fills or marks that a position could not take.")
  }

  // MARK: Events

  /// Throws for an execution that cannot be counted; nothing has changed then.
  func apply(_ event: OmsV1.OrderEvent) throws {
    if let execution = event.execution {
      do {
        try book(AccountFill(execution, event.terms))
      } catch {
        faults.increment()
        throw error
      }
    }
    sequence = event.sequence
  }

  /// Forgets everything but the marks: the oms's log is another one.
  func startOver() {
    ledger = PositionLedger()
    tallies = [:]
    versions = [:]
    sequence = 0
    isCurrent = false
    fold += 1
    touch([])
  }

  private func book(_ fill: AccountFill) throws {
    var tally = tallies[PositionKey(account: fill.account, market: fill.market)] ?? Tally()
    if fill.side == .buy {
      tally.bought = try tally.bought.adding(Amount(fill.quantity))
    } else {
      tally.sold = try tally.sold.adding(Amount(fill.quantity))
    }
    tally.fills += 1
    tally.updated = fill.time
    guard let position = try ledger.apply(fill) else { return }
    tallies[position.key] = tally
    fills.increment()
    touch([position.key])
    if isCurrent, position.mark == nil, let mark = marks[fill.market] {
      try ledger.mark(fill.market, at: mark, time: fill.time)
    }
  }

  /// Values positions at the mid, rounded down at the finer scale of both sides.
  func mark(_ top: OrderbookV1.Top, now: Instant) throws {
    guard !top.stale, let bid = try Units.Decimal(top.bidPrice, field: "bidPrice"),
      let ask = try Units.Decimal(top.askPrice, field: "askPrice"), bid > .zero, ask > .zero
    else { return }
    let market = Market(venue: VenueID(top.venue), symbol: top.symbol)
    do {
      let mid = try Amount(bid).middle(to: Amount(ask))
      marks[market] = mid
      guard isCurrent else { return }
      try ledger.mark(market, at: mid, time: now)
    } catch {
      faults.increment()
      throw error
    }
    touch(ledger.positions(in: market).map(\.key))
  }

  /// The fold has come to the present.
  func beginPresent(_ now: Instant) throws {
    isCurrent = true
    try roll(to: now)
    for (market, mark) in marks {
      try ledger.mark(market, at: mark, time: now)
      touch(ledger.positions(in: market).map(\.key))
    }
  }

  func roll(to now: Instant) throws {
    guard isCurrent else { return }
    if try ledger.roll(to: now) > 0 { touch(ledger.positions().map(\.key)) }
  }

  private func touch(_ keys: [PositionKey]) {
    version += 1
    for key in keys { versions[key] = version }
    changes.set(())
  }

  // MARK: Questions

  /// Positions changed after a version of them, in the order of account, symbol, venue.
  func changed(after known: UInt64, symbol: String = "") throws -> PositionChanges {
    let positions = try ledger.positions()
      .filter { symbol.isEmpty || $0.market.symbol == symbol }
      .filter { (versions[$0.key] ?? 0) > known }
      .map(message)
    return PositionChanges(positions: positions, version: version, sequence: sequence, fold: fold)
  }

  func portfolio() throws -> PortfolioV1.Portfolio {
    var portfolio = PortfolioV1.Portfolio()
    portfolio.asOfSequence = sequence
    portfolio.positions = try changed(after: 0).positions
    portfolio.totals = try ledger.totals(by: .account).map { total in
      var message = PortfolioV1.PortfolioTotal()
      message.account = total.group.name
      message.currency = total.group.quote
      message.positions = UInt32(clamping: total.positionCount)
      message.realisedPnl = wire(total.realised, &portfolio.rounded)
      message.unrealisedPnl = wire(total.unrealised, &portfolio.rounded)
      message.fees = wire(total.fees, &portfolio.rounded)
      message.netPnl = wire(total.profit, &portfolio.rounded)
      message.dailyPnl = wire(total.dayProfit, &portfolio.rounded)
      message.grossExposure = wire(total.grossExposure, &portfolio.rounded)
      message.netExposure = wire(total.netExposure, &portfolio.rounded)
      return message
    }
    // Money of several currencies is never added: then only `totals` tell.
    let currencies = try ledger.totals(by: .quote)
    guard currencies.count < 2 else { return portfolio }
    let total = currencies.first
    portfolio.currency = total?.group.quote ?? "USDT"
    portfolio.realisedPnl = wire(total?.realised ?? .zero, &portfolio.rounded)
    portfolio.unrealisedPnl = wire(total?.unrealised ?? .zero, &portfolio.rounded)
    portfolio.fees = wire(total?.fees ?? .zero, &portfolio.rounded)
    portfolio.netPnl = wire(total?.profit ?? .zero, &portfolio.rounded)
    portfolio.dailyPnl = wire(total?.dayProfit ?? .zero, &portfolio.rounded)
    portfolio.grossExposure = wire(total?.grossExposure ?? .zero, &portfolio.rounded)
    portfolio.netExposure = wire(total?.netExposure ?? .zero, &portfolio.rounded)
    return portfolio
  }

  private func message(_ position: Position) throws -> PortfolioV1.Position {
    let tally = tallies[position.key] ?? Tally()
    var message = PortfolioV1.Position()
    message.account = position.account
    message.venue = position.market.venue.name
    message.symbol = position.market.symbol
    message.baseCurrency = position.base
    message.quoteCurrency = position.quote
    message.quantity = wire(position.net, &message.rounded)
    message.cost = wire(position.cost, &message.rounded)
    message.averagePrice = position.averageEntryPrice(
      scale: min(18, position.lastFillPrice.scale + 8)
    ).map { TypeV1.Decimal($0) }
    if let mark = position.mark {
      message.markPrice = wire(mark, &message.rounded)
      message.unrealisedPnl = wire(try position.unrealised(), &message.rounded)
    }
    message.realisedPnl = wire(position.realised, &message.rounded)
    message.fees = wire(position.fees, &message.rounded)
    if !position.baseFees.isZero {
      message.baseFees = wire(position.baseFees, &message.rounded)
    }
    message.boughtQuantity = wire(tally.bought, &message.rounded)
    message.soldQuantity = wire(tally.sold, &message.rounded)
    message.fills = tally.fills
    message.updatedAt = .init(tally.updated)
    return message
  }

  /// A figure of more than 64 bits is cut off where it must be, and left out when even its whole part
  /// does not fit; `rounded` says so.
  private func wire(_ amount: Amount, _ rounded: inout Bool) -> TypeV1.Decimal? {
    guard let (decimal, isExact) = amount.decimalCutOff() else {
      rounded = true
      return nil
    }
    if !isExact { rounded = true }
    return TypeV1.Decimal(decimal)
  }
}

/// Positions that changed, and what they are complete up to.
package struct PositionChanges: Sendable {
  package let positions: [PortfolioV1.Position]
  package let version: UInt64
  /// The oms's event up to which they are complete.
  package let sequence: UInt64
  package let fold: UInt64
}

extension AccountFill {
  /// An execution as the oms tells of it; what it counts for is in it and in its event's terms.
  fileprivate init(
    _ wire: OmsV1.Execution, _ terms: OmsV1.InstrumentTerms?
  ) throws(RPCError) {
    guard let terms, !terms.baseAsset.isEmpty, !terms.quoteAsset.isEmpty else {
      throw RPCError(
        .dataLoss, "execution \(wire.executionId) does not say what \(wire.symbol) is quoted in")
    }
    self.init(
      executionID: wire.executionId, orderID: wire.orderId, account: wire.account,
      market: Market(venue: VenueID(wire.venue), symbol: wire.symbol), base: terms.baseAsset,
      quote: terms.quoteAsset, side: try Side(wire.side, field: "side"),
      price: try Units.Decimal(required: wire.price, field: "price"),
      quantity: try Units.Decimal(required: wire.quantity, field: "quantity"),
      fee: try Units.Decimal(wire.fee, field: "fee") ?? .zero, feeAsset: wire.feeAsset,
      time: try Instant(wire.exchangeTime ?? .init(), field: "exchangeTime"))
  }
}
