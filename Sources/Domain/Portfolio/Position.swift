package import Chrono
package import Units
package import Venue

/// One account's position in one market, by average cost, exact to the last digit.
///
/// `cost` is the money that the open position stands for: positive when long, negative when short.
/// A reduction takes `floor(|cost| * closed / |net|)` out of it and the rest stays, so that no
/// digit is ever lost and at every moment `realised - cost = cash`.
///
/// Fees, by the asset they are paid in:
/// - the quote: subtracted from profit;
/// - the base: whole quantity steps leave the position, as if sold at the fill's price to pay a fee
///   of the same worth in quote; the rest, less than a step, waits as dust and is valued at the
///   mark;
/// - anything else: kept per asset, unconverted, and in no profit figure here.
package struct Position: Sendable, Hashable {
  package let account: String
  package let instrument: Instrument
  /// Positive long, negative short.
  package private(set) var net = Quantity.zero
  package private(set) var cost = Notional.zero
  /// Before fees.
  package private(set) var realised = Notional.zero
  /// In the quote asset.
  package private(set) var fees = Amount.zero
  /// In the base asset, at least 0 and less than one raw quantity.
  package private(set) var feeDust = Amount.zero
  package private(set) var otherFees: [String: Amount] = [:]
  package private(set) var mark: Price?
  package private(set) var lastFillPrice = Price.zero
  /// Whole days since 1970-01-01, UTC.
  package private(set) var day: Int64
  /// Profit when the day began.
  package private(set) var dayOpenProfit = Amount.zero

  package init(account: String, instrument: Instrument, since time: Instant) {
    self.account = account
    self.instrument = instrument
    self.day = Self.day(of: time)
  }

  package var key: PositionKey { PositionKey(account: account, market: Market(instrument)) }

  // MARK: Events

  /// Counts a fill of one of the account's own orders.
  package mutating func apply(_ fill: VenueFill, side: Side) throws(PortfolioFault) {
    guard fill.price > .zero, fill.quantity > .zero else {
      throw .malformedFill(executionID: fill.executionID)
    }
    var next = self
    try next.roll(to: fill.exchangeTime)
    try next.trade(side, fill.quantity, at: fill.price)
    try next.charge(fill)
    next.lastFillPrice = fill.price
    self = next
  }

  package mutating func mark(at price: Price, time: Instant) throws(PortfolioFault) {
    try roll(to: time)
    mark = price
  }

  /// Starts a new UTC day if `time` is in one: from here on the day's profit counts from the worth
  /// at the last mark before it. An event of an earlier day never turns the day back.
  package mutating func roll(to time: Instant) throws(PortfolioFault) {
    let today = Self.day(of: time)
    guard today > day else { return }
    dayOpenProfit = try profit()
    day = today
  }

  private mutating func trade(
    _ side: Side, _ quantity: Quantity, at price: Price
  ) throws(PortfolioFault) {
    let signed = side.sign * quantity.raw
    let (after, overflow) = net.raw.addingReportingOverflow(signed)
    guard !overflow, after != .min else { throw .overflow }
    let reduces = net.raw.signum() == -side.sign
    let closed = reduces ? min(quantity.raw, abs(net.raw)) : 0
    let opened = quantity.raw - closed
    if closed > 0 {
      let closedCost = share(of: cost.raw, closed, outOf: abs(net.raw))
      let traded = Int128(price.raw) * Int128(closed)
      let gain = side == .sell ? traded - closedCost : -closedCost - traded
      let (sum, overflow) = realised.raw.addingReportingOverflow(gain)
      guard !overflow else { throw .overflow }
      realised = Notional(sum)
      cost.raw -= closedCost
    }
    cost.raw += Int128(side.sign) * Int128(price.raw) * Int128(opened)
    net = Quantity(after)
  }

  private mutating func charge(_ fill: VenueFill) throws(PortfolioFault) {
    guard !fill.fee.isZero else { return }
    if fill.feeAsset == instrument.quote {
      fees = try fees.adding(Amount(fill.fee))
    } else if fill.feeAsset == instrument.base {
      try chargeBase(fill)
    } else {
      otherFees[fill.feeAsset] = try (otherFees[fill.feeAsset] ?? .zero).adding(Amount(fill.fee))
    }
  }

  private mutating func chargeBase(_ fill: VenueFill) throws(PortfolioFault) {
    let due = try feeDust.adding(Amount(fill.fee))
    // At a scale no coarser than the position's: then a raw quantity is a whole number of units.
    let fine = try due.adding(Amount(units: 0, scale: instrument.quantityScale))
    var step: Int128 = 1
    for _ in instrument.quantityScale..<fine.scale { step *= 10 }
    var dust = fine.units % step
    if dust < 0 { dust += step }
    guard let whole = Int64(exactly: (fine.units - dust) / step), whole != .min else {
      throw .overflow
    }
    feeDust = Amount(units: dust, scale: fine.scale)
    guard whole != 0 else { return }
    try trade(whole > 0 ? .sell : .buy, Quantity(abs(whole)), at: fill.price)
    let worth = Int128(fill.price.raw) * Int128(whole)
    fees = try fees.adding(Amount(units: worth, scale: instrument.notionalScale))
  }

  /// floor(|cost| * part / whole) with the sign of the cost; `part` is at most `whole`.
  private func share(of cost: Int128, _ part: Int64, outOf whole: Int64) -> Int128 {
    if part == whole { return cost }
    let magnitude = cost.magnitude
    let quotient: UInt128
    let (product, overflow) = magnitude.multipliedReportingOverflow(by: UInt128(part))
    if overflow {
      let wide = magnitude.multipliedFullWidth(by: UInt128(part))
      quotient = UInt128(whole).dividingFullWidth(wide).quotient
    } else {
      quotient = product / UInt128(whole)
    }
    return cost < 0 ? -Int128(quotient) : Int128(quotient)
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
  package var valuationPrice: Price { mark ?? lastFillPrice }

  /// What was received less what was paid, fees aside: `realised - cost`.
  package var cash: Notional { Notional(realised.raw - cost.raw) }

  /// Worth of the open position at the valuation price less its cost. Both are below 2^126.
  package var unrealised: Notional {
    Notional(Int128(net.raw) * Int128(valuationPrice.raw) - cost.raw)
  }

  /// Realised and unrealised, less fees in quote and base.
  package func profit() throws(PortfolioFault) -> Amount {
    let scale = instrument.notionalScale
    let dust = try feeDust.multiplied(
      by: Amount(units: Int128(valuationPrice.raw), scale: instrument.priceScale))
    return try Amount(units: realised.raw, scale: scale)
      .adding(Amount(units: unrealised.raw, scale: scale))
      .subtracting(fees)
      .subtracting(dust)
  }

  /// Profit since UTC midnight.
  package func dayProfit() throws(PortfolioFault) -> Amount {
    try profit().subtracting(dayOpenProfit)
  }

  /// |net| at the valuation price.
  package var exposure: Notional {
    Notional(abs(Int128(net.raw) * Int128(valuationPrice.raw)))
  }

  /// Cost over quantity with `scale` decimal places, the last one rounded half up, for display; nil
  /// when flat. The exact value is the pair itself.
  package func averageEntryPrice(scale: UInt8) -> Decimal? {
    guard net.raw != 0, scale >= instrument.priceScale,
      let factor = powerOfTen(scale - instrument.priceScale)
    else { return nil }
    let divisor = Int128(abs(net.raw))
    let (whole, remainder) = abs(cost.raw).quotientAndRemainder(dividingBy: divisor)
    let fraction = (remainder * Int128(factor) * 2 + divisor) / (divisor * 2)
    return try? Decimal(exactly: whole * Int128(factor) + fraction, scale: scale)
  }
}
