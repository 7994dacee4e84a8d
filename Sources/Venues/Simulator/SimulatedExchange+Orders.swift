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
    try check(ticket)
    try checkMoney(ticket)
    var order = PrivateOrder(
      ticket, id: takeOrderID(), clientOrderID: ticket.clientOrderID ?? random.token(length: 22),
      created: now)
    let market = markets[order.market]
    order.locked = lock(order, remaining: order.quantity, market)
    accounts[order.account].lock(spends(order, market), order.locked)
    save(order)
    publishReport(order, .new)
    return execute(order)
  }

  /// What can be said against an order save its money; the name of one that it takes the place of is
  /// free.
  func check(_ ticket: OrderTicket, replacing old: PrivateOrder? = nil) throws(Refusal) {
    let market = markets[ticket.market]
    try checkFilters(ticket, market)
    try checkTerms(ticket, market)
    guard !market.isHalted else { throw .marketClosed }
    if let name = ticket.clientOrderID,
      let other = ledger.find(name, account: ticket.account, market: ticket.market),
      other.isOpen, other.id != old?.id
    {
      throw .duplicateOrder
    }
    if ticket.timeInForce == .postOnly, let best = market.engine.best(ticket.side.opposite),
      crosses(ticket.side, ticket.price, best.price)
    {
      throw .wouldTake
    }
  }

  /// What an order that it takes the place of has locked is free.
  func checkMoney(_ ticket: OrderTicket, replacing old: PrivateOrder? = nil) throws(Refusal) {
    let market = markets[ticket.market]
    let order = PrivateOrder(ticket, id: 0, clientOrderID: "", created: now)
    let free = accounts[order.account].free(spends(order, market)) + (old?.locked ?? .zero)
    guard need(order, market) <= free else { throw .insufficientBalance }
  }

  /// An order that is taken, and refused at once for what it is.
  mutating func enterCancelled(_ ticket: OrderTicket) -> PrivateOrder {
    var order = PrivateOrder(
      ticket, id: takeOrderID(), clientOrderID: ticket.clientOrderID ?? random.token(length: 22),
      created: now)
    save(order)
    publishReport(order, .new)
    order.status = .rejected
    close(&order)
    publishReport(order, .cancelled(by: ""))
    return order
  }

  /// Puts an order that is saved and paid for into the book.
  mutating func execute(_ order: PrivateOrder) -> Placement {
    let result = markets[order.market].engine.place(engineOrder(order))
    settle(result, order.market)
    publishBalances()
    // A fill may have two private sides, so twice the fills is where this order's are.
    let trades = ledger.trades.suffix(2 * result.fillCount).filter { $0.orderID == order.id }
    return Placement(order: ledger[order.id] ?? order, trades: trades)
  }

  /// The open rest of an order as the book takes it.
  private func engineOrder(_ order: PrivateOrder) -> EngineOrder {
    var terms = order.terms
    if order.working != nil { terms.trigger = nil }
    // A stop without a limit has its collar as one, and does not wait there.
    let isInstant = order.type == .market && order.isStop && order.timeInForce != .fok
    return EngineOrder(
      id: order.id, owner: UInt32(order.account + 1), side: order.side, limit: limit(order),
      quantity: order.remaining,
      timeInForce: isInstant ? .ioc : order.timeInForce, terms: terms)
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

  /// Changes price, quantity (all of it, what is filled too) or terms of an open order; in place when
  /// it only gets smaller, else as if it came now.
  mutating func amend(
    _ order: PrivateOrder, _ amendment: Amendment
  ) throws(Refusal) -> PrivateOrder {
    guard let old = ledger[order.id], old.isOpen else { throw .unknownOrder }
    let market = markets[old.market]
    var order = amendment.applied(to: old)
    guard old.type == .limit || amendment.price == nil,
      old.working == nil || order.terms.trigger == old.terms.trigger, order.remaining > .zero,
      order.price != old.price || order.quantity != old.quantity || order.terms != old.terms
    else { throw .invalidAmendment }
    var ticket = OrderTicket(order)
    if old.working != nil { ticket.terms.trigger = nil }
    try check(ticket, replacing: old)
    let locked = lock(order, remaining: order.remaining, market)
    guard locked - old.locked <= accounts[order.account].free(spends(order, market)) else {
      throw .insufficientBalance
    }
    release(&order, to: locked)
    order.updated = now
    order.since = now
    save(order)
    publishReport(order, .amended(was: old.clientOrderID))
    settle(
      markets[order.market].engine.amend(
        engineOrder(order), keepsTerms: order.terms == old.terms), order.market)
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

  /// An order loses quantity to self-trade prevention, and ends when that was its last.
  mutating func prevented(
    _ id: UInt64, _ quantity: Quantity, _ matchID: UInt64, counterOrderID: UInt64?
  ) {
    guard var order = ledger[id], order.isOpen else { return }
    order.prevented += quantity
    order.preventedMatchID = matchID
    order.updated = now
    if order.remaining == .zero {
      order.status = .expired
      order.isEndedInMatch = true
    }
    release(&order, to: lock(order, remaining: order.remaining, markets[order.market]))
    save(order)
    let match = PreventedMatch(id: matchID, quantity: quantity, counterOrderID: counterOrderID)
    publishReport(order, .prevented(match))
  }

  /// The rest of an order found nobody, and does not wait.
  mutating func expired(_ id: UInt64) {
    guard var order = ledger[id], order.isOpen else { return }
    order.status = .expired
    close(&order)
    publishReport(order, .expired)
  }

  mutating func triggered(_ id: UInt64) {
    guard var order = ledger[id] else { return }
    order.working = now
    order.updated = now
    save(order)
    publishReport(order, .triggered)
  }

  /// Half of an open order trades with nobody in the book, and its report is given back instead of
  /// told: a fault. Nil when half is less than a lot, or the market is a recorded one.
  mutating func fillQuietly(_ order: PrivateOrder) -> (report: Happening, quantity: Quantity)? {
    guard var order = ledger[order.id], order.isOpen, order.type == .limit,
      order.working != nil, !markets[order.market].engine.isPlayback
    else { return nil }
    let lot = markets[order.market].settings.instrument.lotSize.raw
    let quantity = Quantity(order.remaining.raw / 2 / lot * lot)
    guard quantity > .zero else { return nil }
    let told = takeHappenings()
    order.quantity -= quantity
    let result = markets[order.market].engine.amend(engineOrder(order), keepsTerms: true)
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
