internal import Chrono
internal import Units
internal import Venue

/// What became of a new order: its state, and the fills that it made at once.
struct Placement {
  var order: PrivateOrder
  var trades: [PrivateTrade]
}

/// The life of the accounts' orders.
extension SimulatedExchange {
  /// Precondition: `advance(to:)` has brought the exchange to the moment of the request.
  mutating func enter(_ ticket: OrderTicket) throws(Refusal) -> Placement {
    let market = markets[ticket.market]
    try checkFilters(ticket, market)
    guard !market.isHalted else { throw .marketClosed }
    let clientOrderID = ticket.clientOrderID ?? random.token(length: 22)
    if let other = ledger.find(clientOrderID, account: ticket.account, market: ticket.market),
      other.isOpen
    {
      throw .duplicateOrder
    }
    if ticket.timeInForce == .postOnly, let best = market.engine.best(ticket.side.opposite),
      crosses(ticket.side, ticket.price, best.price)
    {
      throw .wouldTake
    }
    var order = PrivateOrder(
      id: takeOrderID(), account: ticket.account, market: ticket.market,
      clientOrderID: clientOrderID, side: ticket.side, type: ticket.type,
      timeInForce: ticket.timeInForce, price: ticket.price, quantity: ticket.quantity,
      created: now, updated: now)
    guard need(order, market) <= accounts[order.account].free(spends(order, market)) else {
      throw .insufficientBalance
    }
    order.locked = lock(order, remaining: order.quantity, market)
    accounts[order.account].lock(spends(order, market), order.locked)
    save(order)
    publishReport(order, .new)
    return execute(order)
  }

  /// An order that is taken, and refused at once for what it is.
  mutating func enterCancelled(_ ticket: OrderTicket) -> PrivateOrder {
    var order = PrivateOrder(
      id: takeOrderID(), account: ticket.account, market: ticket.market,
      clientOrderID: ticket.clientOrderID ?? random.token(length: 22), side: ticket.side,
      type: ticket.type, timeInForce: ticket.timeInForce, price: ticket.price,
      quantity: ticket.quantity, created: now, updated: now)
    save(order)
    publishReport(order, .new)
    order.status = .rejected
    close(&order)
    publishReport(order, .cancelled(by: ""))
    return order
  }

  /// Puts an order that is saved and paid for into the book.
  mutating func execute(_ order: PrivateOrder) -> Placement {
    let result = markets[order.market].engine.place(
      EngineOrder(
        id: order.id, side: order.side, limit: order.type == .market ? nil : order.price,
        quantity: order.remaining, timeInForce: order.timeInForce))
    settle(result, order.market)
    if var rest = ledger[order.id], rest.isOpen, result.rested == .zero {
      rest.status = .expired
      close(&rest)
      publishReport(rest, .expired)
    }
    publishBalances()
    // A fill may have two private sides, so twice the fills is where this order's are.
    let trades = ledger.trades.suffix(2 * result.fills.count).filter { $0.orderID == order.id }
    return Placement(order: ledger[order.id] ?? order, trades: trades)
  }

  mutating func withdraw(
    _ order: PrivateOrder, by cancelID: String
  ) throws(Refusal) -> PrivateOrder {
    guard var order = ledger[order.id], order.isOpen else { throw .unknownOrder }
    let level = markets[order.market].engine.cancel(order.id)
    order.status = .cancelled
    close(&order)
    publishReport(order, .cancelled(by: cancelID))
    if let level { publishBook([level], order.market) }
    publishBalances()
    return order
  }

  /// Changes price or quantity (all of it, what is filled too) of an open order; in place when it only
  /// gets smaller, else as if it came now.
  mutating func amend(
    _ order: PrivateOrder, price: Price?, quantity: Quantity?
  ) throws(Refusal) -> PrivateOrder {
    guard var order = ledger[order.id], order.isOpen, order.type == .limit else {
      throw .unknownOrder
    }
    let market = markets[order.market]
    guard !market.isHalted else { throw .marketClosed }
    let old = order
    order.price = price ?? old.price
    order.quantity = quantity ?? old.quantity
    guard order.remaining > .zero, order.price != old.price || order.quantity != old.quantity
    else { throw .invalidAmendment }
    try checkFilters(
      OrderTicket(
        account: order.account, market: order.market, clientOrderID: nil, side: order.side,
        type: .limit, timeInForce: order.timeInForce, price: order.price,
        quantity: order.quantity), market)
    if order.timeInForce == .postOnly, let best = market.engine.best(order.side.opposite),
      crosses(order.side, order.price, best.price)
    {
      throw .wouldTake
    }
    let locked = lock(order, remaining: order.remaining, market)
    guard locked - order.locked <= accounts[order.account].free(spends(order, market)) else {
      throw .insufficientBalance
    }
    release(&order, to: locked)
    order.updated = now
    save(order)
    publishReport(order, .amended)
    settle(
      markets[order.market].engine.amend(
        order.id, order.side, to: order.price, remaining: order.remaining),
      order.market)
    publishBalances()
    return ledger[order.id] ?? order
  }

  /// Tells an account's order of one of its fills.
  mutating func filled(_ id: UInt64, _ trade: PublicTrade, isMaker: Bool) {
    guard var order = ledger[id] else { return }
    let market = markets[order.market]
    let cost = market.settings.quote(trade.price * trade.quantity)
    let volume = market.settings.base(trade.quantity)
    order.filled += trade.quantity
    order.spent += trade.price * trade.quantity
    order.status = order.remaining == .zero ? .filled : .partiallyFilled
    order.updated = now
    release(&order, to: lock(order, remaining: order.remaining, market))

    let instrument = market.settings.instrument
    let received = order.side == .buy ? volume : cost
    let feeAsset =
      settings.feeAsset == .quote || order.side == .sell ? instrument.quote : instrument.base
    let rate = isMaker ? settings.makerFeeBasisPoints : settings.takerFeeBasisPoints
    let fee = (feeAsset == instrument.quote ? cost : volume).share(basisPoints: rate)
    accounts[order.account].debit(
      spends(order, market), order.side == .buy ? cost : volume)
    accounts[order.account].credit(
      order.side == .buy ? instrument.base : instrument.quote, received)
    accounts[order.account].debit(feeAsset, fee)

    let fill = PrivateTrade(
      id: trade.id, orderID: id, account: order.account, market: order.market, price: trade.price,
      quantity: trade.quantity, fee: fee, feeAsset: feeAsset, isBuyer: order.side == .buy,
      isMaker: isMaker, time: now)
    ledger.append(fill)
    record(.trade(fill))
    save(order)
    publishReport(order, .trade(fill))
  }

  /// Half of an open order trades with nobody in the book, and its report is given back instead of
  /// told: a fault. Nil when half is less than a lot, or the market is a recorded one.
  mutating func fillQuietly(_ order: PrivateOrder) -> (report: Happening, quantity: Quantity)? {
    guard let order = ledger[order.id], order.isOpen, order.type == .limit,
      !markets[order.market].engine.isPlayback
    else { return nil }
    let lot = markets[order.market].settings.instrument.lotSize.raw
    let quantity = Quantity(order.remaining.raw / 2 / lot * lot)
    guard quantity > .zero else { return nil }
    let told = takeHappenings()
    let result = markets[order.market].engine.amend(
      order.id, order.side, to: order.price, remaining: order.remaining - quantity)
    let trade = PublicTrade(
      id: markets[order.market].takeTradeID(), price: order.price, quantity: quantity,
      aggressor: order.side.opposite, time: now)
    filled(order.id, trade, isMaker: true)
    let reports = takeHappenings()
    for happening in told { republish(happening) }
    publishBook(result.changedLevels, order.market)
    markets[order.market].traded(trade)
    publish(.trade(market: order.market, trade))
    return reports.first.map { ($0, quantity) }
  }

  // MARK: Rules

  private func checkFilters(
    _ ticket: OrderTicket, _ market: ExchangeMarket
  ) throws(Refusal) {
    let rules = market.settings.instrument
    let quantity = ticket.quantity
    guard quantity >= rules.minQuantity, quantity <= rules.maxQuantity,
      quantity.raw % rules.lotSize.raw == 0
    else { throw .lotSize }
    var price = ticket.price
    if ticket.type == .market {
      guard let best = market.engine.best(ticket.side.opposite) else { return }
      price = best.price
    } else {
      guard price >= rules.tickSize, price <= market.settings.maxPrice,
        price.raw % rules.tickSize.raw == 0
      else { throw .priceFilter }
      if let band = market.settings.bounds(ticket.side, around: market.reference),
        !band.contains(price)
      {
        throw .priceBand
      }
    }
    let notional = price * quantity
    guard notional >= rules.minNotional,
      ticket.type == .market || notional <= market.settings.maxNotional
    else { throw .notional }
  }

  private func crosses(_ side: Side, _ price: Price, _ best: Price) -> Bool {
    side == .buy ? price >= best : price <= best
  }

  // MARK: Money

  private func spends(_ order: PrivateOrder, _ market: ExchangeMarket) -> String {
    let instrument = market.settings.instrument
    return order.side == .buy ? instrument.quote : instrument.base
  }

  /// What the account must own for the order to be taken.
  private func need(_ order: PrivateOrder, _ market: ExchangeMarket) -> AssetAmount {
    guard order.type == .market, order.side == .buy else {
      return order.side == .sell
        ? market.settings.base(order.quantity)
        : lock(order, remaining: order.quantity, market)
    }
    return withFee(market.settings.quote(market.engine.cost(.sell, order.quantity)))
  }

  /// What stays locked while `remaining` is open; market orders never rest.
  private func lock(
    _ order: PrivateOrder, remaining: Quantity, _ market: ExchangeMarket
  ) -> AssetAmount {
    guard order.type == .limit else { return .zero }
    switch order.side {
    case .buy: return withFee(market.settings.quote(order.price * remaining))
    case .sell: return market.settings.base(remaining)
    }
  }

  private func withFee(_ amount: AssetAmount) -> AssetAmount {
    guard settings.feeAsset == .quote else { return amount }
    let rate = max(settings.makerFeeBasisPoints, settings.takerFeeBasisPoints)
    return amount + amount.shareRoundedUp(basisPoints: rate)
  }

  private mutating func release(_ order: inout PrivateOrder, to locked: AssetAmount) {
    accounts[order.account].lock(spends(order, markets[order.market]), locked - order.locked)
    order.locked = locked
  }

  private mutating func close(_ order: inout PrivateOrder) {
    release(&order, to: .zero)
    order.updated = now
    save(order)
  }

  private mutating func save(_ order: PrivateOrder) {
    ledger.upsert(order)
    record(.order(order))
  }
}
