package import Chrono
package import Units
internal import Venue

/// One account's position in one market, by average cost, exact to the last digit.
///
/// `cost` is the money that the open position stands for: positive when long, negative when short.
/// A reduction takes `floor(|cost| * closed / |net|)` out of it, at the scale of the cost, and the
/// rest stays, so that no digit is ever lost and at every moment `realised - cost = cash`.
///
/// Fees, by the asset they are paid in:
/// - the quote: subtracted from profit;
/// - the base: the position is lower by the whole fee, as if so much had been sold at the fill's
///   price to pay a fee of the same worth in quote; a rebate raises it. The risk gate counts by the
///   same rule;
/// - anything else: kept per asset, unconverted, and in no profit figure here.
package struct Position: Sendable, Hashable {
  package let account: String
  package let market: Market
  package let base: String
  package let quote: String
  /// Positive long, negative short; as fine as the fees that were taken in the base asset.
  package private(set) var net = Amount.zero
  package private(set) var cost = Amount.zero
  /// Before fees.
  package private(set) var realised = Amount.zero
  /// In the quote asset, those in base at the price of their fill.
  package private(set) var fees = Amount.zero
  /// In the base asset.
  package private(set) var baseFees = Amount.zero
  package private(set) var otherFees: [String: Amount] = [:]
  package private(set) var mark: Amount?
  package private(set) var lastFillPrice = Amount.zero
  /// Whole days since 1970-01-01, UTC.
  package private(set) var day: Int64
  /// Profit when the day began.
  package private(set) var dayOpenProfit = Amount.zero

  package init(account: String, market: Market, base: String, quote: String, since time: Instant) {
    self.account = account
    self.market = market
    self.base = base
    self.quote = quote
    self.day = Self.day(of: time)
  }

  package var key: PositionKey { PositionKey(account: account, market: market) }

  // MARK: Events

  /// Counts a fill of one of the account's own orders.
  package mutating func apply(_ fill: AccountFill) throws(PortfolioFault) {
    let price = Amount(fill.price)
    let quantity = Amount(fill.quantity)
    guard price.isPositive, quantity.isPositive else {
      throw .malformedFill(executionID: fill.executionID)
    }
    var next = self
    try next.roll(to: fill.time)
    try next.change(by: fill.side == .buy ? quantity : quantity.negated(), at: price)
    try next.charge(fill, price)
    next.lastFillPrice = price
    self = next
  }

  package mutating func mark(at price: Amount, time: Instant) throws(PortfolioFault) {
    var next = self
    try next.roll(to: time)
    next.mark = price
    _ = try next.profit()
    self = next
  }

  /// Starts a new UTC day if `time` is in one: from here on the day's profit counts from the worth
  /// at the last mark before it. An event of an earlier day never turns the day back.
  package mutating func roll(to time: Instant) throws(PortfolioFault) {
    let today = Self.day(of: time)
    guard today > day else { return }
    dayOpenProfit = try profit()
    day = today
  }

  private mutating func change(by signed: Amount, at price: Amount) throws(PortfolioFault) {
    let size = try signed.magnitude()
    let held = try net.magnitude()
    let reduces = !net.isZero && net.isNegative != signed.isNegative
    let closed = reduces ? min(size, held) : Amount(units: 0, scale: size.scale)
    let opened = try size.subtracting(closed)
    if closed.isPositive {
      let closedCost = try cost.share(closed, of: held)
      let traded = try price.multiplied(by: closed)
      let received = signed.isNegative ? traded : try traded.negated()
      realised = try realised.adding(received).subtracting(closedCost)
      cost = try cost.subtracting(closedCost)
    }
    let paid = try price.multiplied(by: opened)
    cost = try signed.isNegative ? cost.subtracting(paid) : cost.adding(paid)
    net = try net.adding(signed)
  }

  private mutating func charge(_ fill: AccountFill, _ price: Amount) throws(PortfolioFault) {
    guard !fill.fee.isZero else { return }
    let fee = Amount(fill.fee)
    if fill.feeAsset == quote {
      fees = try fees.adding(fee)
    } else if fill.feeAsset == base {
      try change(by: fee.negated(), at: price)
      baseFees = try baseFees.adding(fee)
      fees = try fees.adding(price.multiplied(by: fee))
    } else {
      otherFees[fill.feeAsset] = try (otherFees[fill.feeAsset] ?? .zero).adding(fee)
    }
  }

  private static func day(of time: Instant) -> Int64 {
    let dayNanoseconds: Int64 = 86_400_000_000_000
    let (quotient, remainder) = time.nanoseconds.quotientAndRemainder(dividingBy: dayNanoseconds)
    return remainder < 0 ? quotient - 1 : quotient
  }
}

// MARK: - What it is worth

extension Position {
  /// The mark, or the last fill's price before there is one.
  package var valuationPrice: Amount { mark ?? lastFillPrice }

  /// What was received less what was paid, fees aside: `realised - cost`.
  package func cash() throws(PortfolioFault) -> Amount { try realised.subtracting(cost) }

  /// The open position at the valuation price, with its sign.
  package func worth() throws(PortfolioFault) -> Amount { try net.multiplied(by: valuationPrice) }

  /// Worth of the open position less its cost.
  package func unrealised() throws(PortfolioFault) -> Amount { try worth().subtracting(cost) }

  /// Realised and unrealised, less fees in quote and base.
  package func profit() throws(PortfolioFault) -> Amount {
    try realised.adding(unrealised()).subtracting(fees)
  }

  /// Profit since UTC midnight.
  package func dayProfit() throws(PortfolioFault) -> Amount {
    try profit().subtracting(dayOpenProfit)
  }

  /// Cost over quantity with `scale` decimal places, the last one rounded half up, for display; nil
  /// when flat. The exact value is the pair itself.
  package func averageEntryPrice(scale: UInt8) -> Decimal? {
    guard !net.isZero else { return nil }
    do {
      let price = try cost.magnitude().quotient(by: net.magnitude(), places: scale)
      return try price.map { try Decimal(exactly: $0.units, scale: $0.scale) }
    } catch {
      return nil
    }
  }
}
