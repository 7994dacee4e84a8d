internal import Chrono
package import Portfolio
internal import Units
internal import Venue

extension RiskGate {
  /// Puts new limits in force from the next order on; on a fault the old ones stay. What is open is
  /// never cancelled by this: a position above a new limit may still be reduced.
  package func apply(_ limits: RiskLimits) throws(RiskLimitFault) {
    try limits.validate()
    for instrument in instruments.values where instrument.quote != limits.currency {
      throw .foreignQuote(
        symbol: instrument.symbol, quote: instrument.quote, currency: limits.currency)
    }
    for (index, instrument) in instruments {
      write(limits.limits(of: instrument.symbol), of: instrument, to: slot(at: Int(index)))
    }
    let account = limits.account
    let orders = max(account.ordersPerSecond, account.ordersPerMinute)
    if orders > ring.pointee.capacity {
      ring.pointee = ring.pointee.grown(toHold: orders, admitted: state.pointee.admitted)
    }
    state.pointee.ordersPerSecond = account.ordersPerSecond
    state.pointee.ordersPerMinute = account.ordersPerMinute
    let lossMax = moneyUnits(account.maxDailyLoss, roundingUp: false)
    if lossMax != state.pointee.lossMax {
      // Another limit is an operator's word: the loss is judged by it.
      state.pointee.lossMax = lossMax
      resetDailyLoss()
    }
    state.pointee.referenceAgeMax = UInt64(account.referenceAgeMax.wholeNanoseconds)
    limitGross(account.maxGrossExposure)
    self.limits = limits
  }

  private func write(
    _ limits: SymbolLimits, of instrument: Instrument, to slot: UnsafeMutablePointer<GateSlot>
  ) {
    let group = group(slot)
    if !slot.pointee.isKnown { slot.pointee.isTrading = instrument.isTrading }
    slot.pointee.isKnown = true
    slot.pointee.sizeMax = Int64(
      clamping: lots(limits.maxOrderSize, of: limits.lot, scale: instrument.quantityScale))
    let scale = group.pointee.quantityScale
    group.pointee.longMax = min(
      lots(limits.maxLongPosition, of: limits.lot, scale: scale), GateGroup.sumMax)
    group.pointee.shortMax = min(
      lots(limits.maxShortPosition, of: limits.lot, scale: scale), GateGroup.sumMax)
    group.pointee.moneyFactor = units(
      Amount(units: 1, scale: 0), atScale: moneyScale - scale - group.pointee.priceScale,
      roundingUp: false)
    slot.pointee.notionalMax = units(
      Amount(limits.maxNotional), atScale: instrument.notionalScale, roundingUp: false)
    slot.pointee.bandNumerator = limits.priceBand?.units ?? 0
    slot.pointee.bandDenominator = limits.priceBand.flatMap { powerOfTen($0.scale) } ?? 0
    slot.pointee.moneyFactor = units(
      Amount(units: 1, scale: 0), atScale: moneyScale - instrument.notionalScale, roundingUp: false)
  }

  private func limitGross(_ limit: Decimal?) {
    state.pointee.isGrossLimited = limit != nil
    state.pointee.grossMax = min(
      limit.map { moneyUnits($0, roundingUp: false) } ?? 0, GateSlot.exposureMax - 1)
    state.pointee.gross = 0
    for index in 0..<groupCount {
      group(at: index).pointee.exposure = 0
      updateExposure(group(at: index))
    }
  }

  /// Whole raw quantities in so many lots, rounded down; more than fits is no limit at all.
  private func lots(_ count: Decimal, of lot: Decimal, scale: UInt8) -> Int128 {
    let quantity = Amount(
      units: Int128(count.units) * Int128(lot.units), scale: count.scale + lot.scale)
    return units(quantity, atScale: scale, roundingUp: false)
  }

  func moneyUnits(_ decimal: Decimal, roundingUp: Bool) -> Int128 {
    units(Amount(decimal), atScale: moneyScale, roundingUp: roundingUp)
  }

  /// The amount at another scale: digits that do not fit below are rounded toward plus or minus
  /// infinity, a value that does not fit above becomes the largest.
  func units(_ amount: Amount, atScale scale: UInt8, roundingUp: Bool) -> Int128 {
    var units = amount.units
    if amount.scale <= scale {
      for _ in amount.scale..<scale {
        let (product, overflow) = units.multipliedReportingOverflow(by: 10)
        // One above the least, so that it can be negated.
        if overflow { return units < 0 ? -Int128.max : .max }
        units = product
      }
      return units
    }
    var lost = false
    for _ in scale..<amount.scale {
      lost = lost || units % 10 != 0
      let isNegative = units < 0
      let remainder = units % 10
      units = units / 10 - (isNegative && remainder != 0 ? 1 : 0)
      // Floors at every digit; the ceiling is one more if anything was lost.
    }
    return lost && roundingUp ? units + 1 : units
  }

  /// Realised and unrealised since UTC midnight, less the fees charged.
  package var dayProfit: Amount { Amount(units: state.pointee.profit, scale: moneyScale) }

  /// Zero while gross exposure is not limited.
  package var grossExposure: Amount { Amount(units: state.pointee.gross, scale: moneyScale) }
}
