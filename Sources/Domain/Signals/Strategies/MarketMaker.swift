private import Chrono
package import Units
private import Venue

/// Quotes both sides around the fair price and lives on the spread.
///
/// - Both quotes stand `halfSpreadTicks` off the fair price, rounded away from it, and both move
///   against the inventory: long lowers them, so that the ask trades sooner than the bid.
/// - A quote never takes liquidity: it stays a tick behind the other side of the book.
/// - A quote never meets our own: while the old ask still stands at or below the new bid, the bid
///   waits.
/// - At most one order a side, and none whose fill would pass the maximum position.
/// - No trustworthy book, no quotes.
///
/// All in integers: the fair price is a fraction, and the skew counts thousandths of a tick.
package struct MarketMaker: Sendable, Hashable {
  package let settings: MarketMakerSettings
  private var lastBidChange: Instant?
  private var lastAskChange: Instant?

  package init(_ settings: MarketMakerSettings) { self.settings = settings }

  package struct Quote: Sendable, Hashable {
    package let price: Price
    package let quantity: Quantity
  }

  /// Where the quotes should stand; nil for a side that should have none.
  package struct Quotes: Sendable, Hashable {
    package let bid: Quote?
    package let ask: Quote?
  }

  package mutating func decide(_ view: StrategyView) -> [StrategyAction] {
    guard let wanted = quotes(for: view) else {
      return view.quotes.filter { !$0.isPending }.map { .cancel($0.orderID) }
    }
    return change(.buy, to: wanted.bid, view) + change(.sell, to: wanted.ask, view)
  }

  /// Nil when the book is stale, empty or crossed.
  package func quotes(for view: StrategyView) -> Quotes? {
    guard let top = view.top, view.now - top.receivedTime <= settings.bookAgeMax,
      top.ask.price > top.bid.price, top.bid.price > .zero, top.bid.quantity > .zero,
      top.ask.quantity > .zero
    else { return nil }
    let tick = view.instrument.tickSize.raw
    let fair = fairPrice(top)
    // In thousandths of a tick over the fair price's denominator: below 2^98 for any price.
    let step = Int128(tick) * Int128(fair.denominator)
    let middle = fair.numerator * 1_000 - skew(view.position) * step
    let half = Int128(settings.halfSpreadTicks) * 1_000 * step
    let bid = floorDivide(middle - half, by: step * 1_000) * Int128(tick)
    let ask = -floorDivide(-(middle + half), by: step * 1_000) * Int128(tick)
    let bidPrice = min(bid, Int128(top.ask.price.raw - tick))
    let askPrice = max(ask, Int128(top.bid.price.raw) + Int128(tick))
    return Quotes(
      bid: quote(.buy, at: bidPrice, view), ask: quote(.sell, at: askPrice, view))
  }

  /// By how much the quotes go down, in thousandths of a tick: positive when long.
  private func skew(_ position: Quantity) -> Int128 {
    let share = Int128(position.raw) * Int128(settings.skewTicksMax) * 1_000
    let most = Int128(settings.skewTicksMax) * 1_000
    return min(most, max(-most, share / Int128(settings.maxPosition.raw)))
  }

  private func fairPrice(_ top: TopOfBook) -> (numerator: Int128, denominator: Int64) {
    let bid = Int128(top.bid.price.raw)
    let ask = Int128(top.ask.price.raw)
    switch settings.fairPrice {
    case .mid: return (bid + ask, 2)
    case .microprice:
      // Shifted alike until their sum has 24 bits: enough to weigh, and the products stay small.
      let sum = UInt64(top.bid.quantity.raw) + UInt64(top.ask.quantity.raw)
      let shift = max(0, UInt64.bitWidth - sum.leadingZeroBitCount - 24)
      let bidWeight = max(1, top.bid.quantity.raw >> Int64(shift))
      let askWeight = max(1, top.ask.quantity.raw >> Int64(shift))
      return (bid * Int128(askWeight) + ask * Int128(bidWeight), bidWeight + askWeight)
    }
  }

  private func quote(_ side: Side, at raw: Int128, _ view: StrategyView) -> Quote? {
    guard raw > 0, let price = Int64(exactly: raw) else { return nil }
    let room = Int128(settings.maxPosition.raw) - Int128(side.sign) * Int128(view.position.raw)
    let lot = view.instrument.lotSize.raw
    let most = Int64(clamping: min(Int128(settings.size.raw), room))
    let quantity = Quantity(most / lot * lot)
    guard quantity > .zero, quantity >= view.instrument.minQuantity,
      Price(price) * quantity >= view.instrument.minNotional
    else { return nil }
    return Quote(price: Price(price), quantity: quantity)
  }

  private func floorDivide(_ dividend: Int128, by divisor: Int128) -> Int128 {
    let (quotient, remainder) = dividend.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }
}

// MARK: - From what stands to what should

extension MarketMaker {
  private mutating func change(
    _ side: Side, to wanted: Quote?, _ view: StrategyView
  ) -> [StrategyAction] {
    let standing = view.quotes.filter { $0.side == side }
    let surplus = standing.dropFirst().filter { !$0.isPending }
      .map { StrategyAction.cancel($0.orderID) }
    guard let first = standing.first else {
      guard let wanted, isDue(side, view.now), !meetsOwn(wanted, side, view) else { return [] }
      note(side, view.now)
      return [.place(side, wanted.price, wanted.quantity)]
    }
    guard !first.isPending else { return surplus }
    guard let wanted else { return surplus + [.cancel(first.orderID)] }
    guard isOff(first, wanted, view.instrument), isDue(side, view.now),
      !meetsOwn(wanted, side, view)
    else { return surplus }
    note(side, view.now)
    let total = first.filledQuantity + wanted.quantity
    return surplus + [.replace(first.orderID, wanted.price, quantity: total)]
  }

  /// Too far from where it should be, or more than the position still allows.
  private func isOff(_ quote: OwnQuote, _ wanted: Quote, _ instrument: Instrument) -> Bool {
    let distance = abs(Int128(quote.price.raw) - Int128(wanted.price.raw))
    let threshold = Int128(settings.requoteTicks) * Int128(instrument.tickSize.raw)
    return distance >= threshold || quote.openQuantity > wanted.quantity
  }

  private func meetsOwn(_ wanted: Quote, _ side: Side, _ view: StrategyView) -> Bool {
    view.quotes.contains { quote in
      guard quote.side != side else { return false }
      return side == .buy ? wanted.price >= quote.price : wanted.price <= quote.price
    }
  }

  private func isDue(_ side: Side, _ now: Instant) -> Bool {
    guard let last = side == .buy ? lastBidChange : lastAskChange else { return true }
    return now - last >= settings.requoteInterval
  }

  private mutating func note(_ side: Side, _ now: Instant) {
    if side == .buy { lastBidChange = now } else { lastAskChange = now }
  }
}
