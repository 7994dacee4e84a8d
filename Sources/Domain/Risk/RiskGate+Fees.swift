package import Units
package import Venue

extension RiskGate {
  /// Takes a fee that the venue took in the base asset out of the position, as the portfolio does: as if
  /// so much had been sold at the fill's price to pay a fee of the same worth. A rebate is negative, and
  /// raises it.
  ///
  /// The gate counts whole raw quantities. What is less than one waits until the next fees make it one,
  /// so that position and the fees that wait are exact together.
  package func chargeBase(_ id: InstrumentID, _ fee: Decimal, at price: Price) {
    let slot = slot(id)
    guard slot.pointee.isKnown, !fee.isZero, price.raw > 0, let instrument = instruments[id.index],
      let unit = powerOfTen(Decimal.scaleMax - min(Decimal.scaleMax, instrument.quantityScale)),
      let factor = powerOfTen(Decimal.scaleMax - fee.scale)
    else { return }
    let due = Int128(slot.pointee.baseFeeRest) + Int128(fee.units) * Int128(factor)
    var (whole, rest) = due.quotientAndRemainder(dividingBy: Int128(unit))
    if rest < 0 { (whole, rest) = (whole - 1, rest + Int128(unit)) }
    guard let taken = Int64(exactly: whole) else { return halt() }
    let (position, overflow) = slot.pointee.position.subtractingReportingOverflow(taken)
    guard !overflow else { return halt() }
    slot.pointee.baseFeeRest = Int64(rest)
    slot.pointee.position = position
    if slot.pointee.mark == 0 { slot.pointee.mark = price.raw }
    earn(-Int128(taken) * Int128(slot.pointee.mark), factor: slot.pointee.moneyFactor)
    updateExposure(slot)
  }

  /// Fees in the base asset that are less than one raw quantity together, and not yet in the position.
  package func baseFeeRest(of id: InstrumentID) -> Decimal {
    Decimal(units: slot(id).pointee.baseFeeRest, scale: Decimal.scaleMax)
  }
}
