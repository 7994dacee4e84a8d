package import Chrono
internal import OrderBook
package import Units
package import Venue

/// A simulated exchange in the domain's own words, for whoever calls it in its own process: no
/// dialect, no sockets, one account.
package struct DirectExchange: ~Copyable {
  private var exchange: SimulatedExchange
  /// Fills by their order's number, as far as the ledger's trades were read.
  private var fillsByOrder: [UInt64: [VenueFill]] = [:]
  private var tradesRead = 0

  /// An order as the exchange has it, open or closed.
  package struct Standing: Sendable, Hashable {
    package var number: UInt64
    package var report: VenueReport
    package var side: Side
    package var isOpen: Bool
    /// What self-trade prevention took of it counts as no longer open.
    package var open: Quantity
    package var quantity: Quantity
  }

  package init(_ settings: ExchangeSettings, start: Instant) {
    precondition(settings.accounts.count == 1, "a direct exchange has one account")
    exchange = SimulatedExchange(settings: settings, start: start)
  }

  package var instruments: [Instrument] { exchange.markets.map(\.settings.instrument) }

  /// Lets the background flow come up to a moment.
  package mutating func advance(to moment: Instant) { exchange.advance(to: moment) }

  package func isHalted(_ instrument: InstrumentID) -> Bool {
    exchange.markets[Int(instrument.index)].isHalted
  }

  package mutating func halt(_ instrument: InstrumentID, _ isHalted: Bool) {
    exchange.halt(Int(instrument.index), isHalted)
  }

  package func touch(_ instrument: InstrumentID) -> (bid: PriceLevel, ask: PriceLevel)? {
    let engine = exchange.markets[Int(instrument.index)].engine
    guard let bid = engine.best(.buy), let ask = engine.best(.sell) else { return nil }
    return (bid, ask)
  }

  // MARK: Orders

  package mutating func place(_ order: VenueOrder) -> VenueOutcome {
    var ticket = OrderTicket(
      account: 0, market: Int(order.instrument.index),
      defaultPrevention: exchange.settings.defaultSelfTradePrevention)
    ticket.clientOrderID = order.clientOrderID
    ticket.side = order.side
    ticket.type = order.type
    ticket.timeInForce = order.timeInForce
    ticket.price = order.price ?? .zero
    ticket.quantity = order.quantity
    do throws(Refusal) {
      return .acknowledged(report(try exchange.enter(ticket).order))
    } catch {
      return rejected(error)
    }
  }

  package mutating func cancel(
    _ clientOrderID: String, _ instrument: InstrumentID
  ) -> VenueOutcome {
    guard let order = find(clientOrderID, instrument), order.isOpen else {
      return rejected(.unknownOrder)
    }
    do throws(Refusal) {
      return .acknowledged(report(try exchange.withdraw(order, by: "")))
    } catch {
      return rejected(error)
    }
  }

  package mutating func amend(_ amendment: VenueAmendment) -> VenueOutcome {
    guard let order = find(amendment.clientOrderID, amendment.instrument), order.isOpen else {
      return rejected(.unknownOrder)
    }
    do throws(Refusal) {
      let change = Amendment(price: amendment.price, quantity: amendment.quantity)
      return .acknowledged(report(try exchange.amend(order, change)))
    } catch {
      return rejected(error)
    }
  }

  package func query(_ clientOrderID: String, _ instrument: InstrumentID) -> VenueOutcome {
    find(clientOrderID, instrument).map { .acknowledged(report($0)) } ?? rejected(.unknownOrder)
  }

  package func openOrders(_ instrument: InstrumentID) -> [VenueReport] {
    exchange.ledger.openOrders(account: 0, market: Int(instrument.index)).map { report($0) }
  }

  /// The fills of one order, oldest first.
  package mutating func fills(_ venueOrderID: String) -> [VenueFill] {
    let trades = exchange.ledger.trades
    for trade in trades[tradesRead...] {
      fillsByOrder[trade.orderID, default: []].append(fill(trade))
    }
    tradesRead = trades.count
    return UInt64(venueOrderID).flatMap { fillsByOrder[$0] } ?? []
  }

  /// A part of an open order trades with nobody in the book, and nobody is told: what is told late, or
  /// only to who asks.
  package mutating func fillQuietly(
    _ clientOrderID: String, _ instrument: InstrumentID
  ) -> VenueReport? {
    guard let order = find(clientOrderID, instrument), order.isOpen,
      let (happening, _) = exchange.fillQuietly(order)
    else { return nil }
    return report(of: happening)
  }

  /// What the private stream has to tell since the last call, in order.
  package mutating func takeReports() -> [VenueReport] {
    _ = exchange.takeRecords()
    return exchange.takeHappenings().compactMap { report(of: $0) }
  }

  /// Every order that was taken, by number, and every fill of its client id.
  package var standings: [Standing] {
    exchange.ledger.all.map { order in
      Standing(
        number: order.id, report: report(order), side: order.side, isOpen: order.isOpen,
        open: order.isOpen ? order.remaining : .zero, quantity: order.quantity)
    }
  }

  package var trades: [(venueOrderID: String, instrument: InstrumentID, side: Side, VenueFill)] {
    exchange.ledger.trades.map {
      (
        String($0.orderID), exchange.markets[$0.market].settings.instrument.id,
        $0.isBuyer ? Side.buy : .sell, fill($0)
      )
    }
  }

  // MARK: Words

  private func find(_ clientOrderID: String, _ instrument: InstrumentID) -> PrivateOrder? {
    exchange.ledger.find(clientOrderID, account: 0, market: Int(instrument.index))
  }

  private func report(of happening: Happening) -> VenueReport? {
    guard case .report(let order, let cause, _) = happening.what else { return nil }
    var report = report(order)
    if case .trade(let trade) = cause { report.fill = fill(trade) }
    return report
  }

  private func report(_ order: PrivateOrder) -> VenueReport {
    VenueReport(
      instrument: exchange.markets[order.market].settings.instrument.id,
      clientOrderID: order.clientOrderID, venueOrderID: String(order.id), status: order.status,
      filledQuantity: order.filled,
      rejectReason: order.status == .rejected ? .venuePolicy : nil,
      exchangeTime: order.updated, price: order.type == .limit ? order.price : nil,
      quantity: order.quantity)
  }

  private func fill(_ trade: PrivateTrade) -> VenueFill {
    VenueFill(
      executionID: String(trade.id), price: trade.price, quantity: trade.quantity,
      fee: Decimal(units: trade.fee.raw, scale: AssetAmount.scale), feeAsset: trade.feeAsset,
      isMaker: trade.isMaker, exchangeTime: trade.time)
  }

  private func rejected(_ refusal: Refusal) -> VenueOutcome {
    let reason: RejectReason =
      switch refusal {
      case .lotSize: .sizePrecision
      case .priceFilter, .priceBand: .pricePrecision
      case .notional: .minNotional
      case .marketClosed: .marketClosed
      case .duplicateOrder: .duplicateOrder
      case .insufficientBalance: .insufficientBalance
      case .unknownOrder: .unknownOrder
      case .invalidAmendment: .invalidOrder
      case .wouldTake: .wouldTakeLiquidity
      case .wouldTrigger, .displayTooLarge, .displayTooSmall, .recordedMarket:
        .venuePolicy
      }
    return .rejected(reason, text: "\(refusal)")
  }
}
