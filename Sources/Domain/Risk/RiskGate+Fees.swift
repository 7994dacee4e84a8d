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
    guard slot.pointee.isKnown, price.raw > 0, let taken = wholeFee(fee, slot, id),
      move(slot, by: -taken)
    else { return }
    let group = group(slot)
    if slot.pointee.mark == 0 {
      slot.pointee.mark = price.raw
      remark(group)
    }
    earn(-Int128(taken) * Int128(slot.pointee.mark), factor: slot.pointee.moneyFactor)
    updateExposure(group)
  }

  /// The same of a fill of an earlier day: the day began without what it took.
  package func inheritBase(_ id: InstrumentID, _ fee: Decimal) {
    let slot = slot(id)
    guard slot.pointee.isKnown, let taken = wholeFee(fee, slot, id), move(slot, by: -taken) else {
      return
    }
    begin(slot, with: -taken)
    updateExposure(group(slot))
  }

  /// The whole raw quantities that a fee and those that wait make together; nil when it is none, or
  /// when it halted.
  private func wholeFee(
    _ fee: Decimal, _ slot: UnsafeMutablePointer<GateSlot>, _ id: InstrumentID
  ) -> Int64? {
    guard !fee.isZero, let instrument = instruments[id.index],
      let unit = powerOfTen(Decimal.scaleMax - min(Decimal.scaleMax, instrument.quantityScale)),
      let factor = powerOfTen(Decimal.scaleMax - fee.scale)
    else { return nil }
    let due = Int128(slot.pointee.baseFeeRest) + Int128(fee.units) * Int128(factor)
    var (whole, rest) = due.quotientAndRemainder(dividingBy: Int128(unit))
    if rest < 0 { (whole, rest) = (whole - 1, rest + Int128(unit)) }
    guard let taken = Int64(exactly: whole), taken != .min else {
      halt()
      return nil
    }
    slot.pointee.baseFeeRest = Int64(rest)
    return taken
  }

  /// Fees in the base asset that are less than one raw quantity together, and not yet in the position.
  package func baseFeeRest(of id: InstrumentID) -> Decimal {
    Decimal(units: slot(id).pointee.baseFeeRest, scale: Decimal.scaleMax)
  }
}
