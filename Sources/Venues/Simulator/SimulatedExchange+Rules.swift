internal import Units
internal import Venue

/// A change of an open order; what is nil stays as it is.
struct Amendment: Hashable {
  var price: Price?
  /// All of it, what is filled too.
  var quantity: Quantity?
  var trigger: Price?
  var display: Quantity?
  var clientOrderID: String?

  func applied(to order: PrivateOrder) -> PrivateOrder {
    var order = order
    if let price { order.price = price }
    if let quantity { order.quantity = quantity }
    if let trigger { order.terms.trigger = trigger }
    if let display { order.terms.display = display }
    if let clientOrderID { order.clientOrderID = clientOrderID }
    return order
  }
}

/// What an order must be, and what it costs.
extension SimulatedExchange {
  func checkFilters(_ ticket: OrderTicket, _ market: ExchangeMarket) throws(Refusal) {
    let rules = market.settings.instrument
    let quantity = ticket.quantity
    guard quantity >= rules.minQuantity, quantity <= rules.maxQuantity,
      quantity.raw % rules.lotSize.raw == 0
    else { throw .lotSize }
    for price in [ticket.type == .limit ? ticket.price : nil, ticket.terms.trigger] {
      guard let price else { continue }
      guard price >= rules.tickSize, price <= market.settings.maxPrice,
        price.raw % rules.tickSize.raw == 0
      else { throw .priceFilter }
    }
    if ticket.type == .limit,
      let band = market.settings.bounds(ticket.side, around: market.reference),
      !band.contains(ticket.price)
    {
      throw .priceBand
    }
    var price = ticket.price
    if ticket.type == .market {
      guard let best = ticket.terms.trigger ?? market.engine.best(ticket.side.opposite)?.price
      else { return }
      price = best
    }
    let notional = price * quantity
    guard notional >= rules.minNotional,
      ticket.type == .market || notional <= market.settings.maxNotional
    else { throw .notional }
  }

  func checkTerms(_ ticket: OrderTicket, _ market: ExchangeMarket) throws(Refusal) {
    let terms = ticket.terms
    guard terms.trigger == nil && terms.display == nil || !market.engine.isPlayback else {
      throw .recordedMarket
    }
    if let trigger = terms.trigger, let last = market.engine.lastTradePrice,
      ticket.side == .buy ? last >= trigger : last <= trigger
    {
      throw .wouldTrigger
    }
    guard let display = terms.display else { return }
    guard display <= ticket.quantity else { throw .displayTooLarge }
    guard display.raw > 0, display.raw % market.settings.instrument.lotSize.raw == 0,
      (ticket.quantity.raw - 1) / display.raw < settings.icebergPartsMax
    else { throw .displayTooSmall }
  }

  func crosses(_ side: Side, _ price: Price, _ best: Price) -> Bool {
    side == .buy ? price >= best : price <= best
  }

  // MARK: Money

  func spends(_ order: PrivateOrder, _ market: ExchangeMarket) -> String {
    let instrument = market.settings.instrument
    return order.side == .buy ? instrument.quote : instrument.base
  }

  /// The price beyond which it does not trade: its limit, a stop's collar; nil for a market order.
  func limit(_ order: PrivateOrder) -> Price? {
    guard order.type == .market else { return order.price }
    guard let trigger = order.terms.trigger else { return nil }
    let tick = markets[order.market].settings.instrument.tickSize.raw
    let collar = trigger.raw * settings.stopCollarPercent / 100 / tick * tick
    return Price(max(tick, trigger.raw + (order.side == .buy ? collar : 0 - collar)))
  }

  /// What the account must own for the order to be taken.
  func need(_ order: PrivateOrder, _ market: ExchangeMarket) -> AssetAmount {
    guard order.side == .buy, limit(order) == nil else {
      return order.side == .sell
        ? market.settings.base(order.quantity)
        : lock(order, remaining: order.remaining, market)
    }
    return withFee(market.settings.quote(market.engine.cost(.sell, order.quantity)))
  }

  /// What stays locked while `remaining` is open; market orders never rest.
  func lock(
    _ order: PrivateOrder, remaining: Quantity, _ market: ExchangeMarket
  ) -> AssetAmount {
    guard let limit = limit(order) else { return .zero }
    switch order.side {
    case .buy: return withFee(market.settings.quote(limit * remaining))
    case .sell: return market.settings.base(remaining)
    }
  }

  private func withFee(_ amount: AssetAmount) -> AssetAmount {
    guard settings.feeAsset == .quote else { return amount }
    let rate = max(settings.makerFeeBasisPoints, settings.takerFeeBasisPoints)
    return amount + amount.shareRoundedUp(basisPoints: rate)
  }
}
