package import Chrono
package import Units
package import Venue

/// What changes the gate besides orders: fills, releases, prices, days.
extension RiskGate {
  /// Gives back exposure that ended unfilled. False, and nothing below zero, if less was reserved.
  @discardableResult
  package func release(_ instrument: InstrumentID, _ side: Side, _ quantity: Quantity) -> Bool {
    let slot = slot(instrument)
    let open = side.isBuy ? slot.pointee.openBuy : slot.pointee.openSell
    let released = min(open, max(0, quantity.raw))
    if side.isBuy { slot.pointee.openBuy -= released } else { slot.pointee.openSell -= released }
    updateExposure(slot)
    return released == quantity.raw
  }

  /// Counts a fill into position and today's profit. `reserved` is how much of it the order still
  /// held in reservation: all of it normally, zero for a fill that came after the release.
  package func fill(
    _ instrument: InstrumentID, _ side: Side, _ quantity: Quantity, at price: Price,
    reserved: Quantity
  ) {
    let slot = slot(instrument)
    guard slot.pointee.isKnown, quantity.raw > 0, price.raw > 0 else { return }
    release(instrument, side, Quantity(min(reserved.raw, quantity.raw)))
    let (position, overflow) = slot.pointee.position
      .addingReportingOverflow(side.isBuy ? quantity.raw : -quantity.raw)
    guard !overflow else { return halt() }
    slot.pointee.position = position
    if slot.pointee.mark == 0 { slot.pointee.mark = price.raw }
    earn(
      Int128(side.isBuy ? quantity.raw : -quantity.raw)
        * Int128(slot.pointee.mark - price.raw),
      factor: slot.pointee.moneyFactor)
    updateExposure(slot)
  }

  /// The price that values positions, market orders and the band: the mid, as a rule. Nil when the
  /// book is not to be trusted: the last one then still values positions, and is no reference, and
  /// orders of every type are refused until there is one again.
  package func setReference(_ instrument: InstrumentID, _ price: Price?, now: Uptime) {
    let slot = slot(instrument)
    guard slot.pointee.isKnown else { return }
    guard let price, price.raw > 0 else {
      slot.pointee.hasReference = false
      slot.pointee.isTainted = true
      return
    }
    slot.pointee.isTainted = false
    if slot.pointee.mark != 0 {
      earn(
        Int128(price.raw - slot.pointee.mark) * Int128(slot.pointee.position),
        factor: slot.pointee.moneyFactor)
    }
    slot.pointee.mark = price.raw
    slot.pointee.markTime = now.nanoseconds
    slot.pointee.hasReference = true
    updateExposure(slot)
  }

  /// Takes a fee in the gate's currency off today's profit; a rebate is negative. A digit finer
  /// than the gate's money counts as one more.
  package func charge(_ fee: Decimal) {
    let money = moneyUnits(fee, roundingUp: true)
    earn(-money, factor: 1)
  }

  /// Today's profit starts at zero when `time` is of a later UTC day than any before it.
  package func roll(to time: Instant) {
    let today = time.nanoseconds / 86_400_000_000_000
    guard today > state.pointee.day else { return }
    if state.pointee.day != .min { state.pointee.profit = 0 }
    state.pointee.day = today
  }

  package func setTrading(_ instrument: InstrumentID, isOpen: Bool) {
    slot(instrument).pointee.isTrading = isOpen
  }

  package var tradingState: TradingState {
    get { state.pointee.state }
    set { state.pointee.state = newValue }
  }

  /// What the journal or the venue says at start. Open orders are reserved again by `reserve`.
  package func restore(_ instrument: InstrumentID, position: Quantity, mark: Price?) {
    let slot = slot(instrument)
    guard slot.pointee.isKnown else { return }
    slot.pointee.position = position.raw
    slot.pointee.mark = mark?.raw ?? 0
    slot.pointee.hasReference = false
    updateExposure(slot)
  }

  package func restore(dayProfit: Decimal) {
    state.pointee.profit = moneyUnits(dayProfit, roundingUp: false)
  }

  /// Reserves without asking: for orders that are open already.
  package func reserve(_ instrument: InstrumentID, _ side: Side, _ quantity: Quantity) {
    let slot = slot(instrument)
    guard slot.pointee.isKnown, quantity.raw > 0 else { return }
    let open = side.isBuy ? slot.pointee.openBuy : slot.pointee.openSell
    let (sum, overflow) = open.addingReportingOverflow(quantity.raw)
    guard !overflow else { return halt() }
    if side.isBuy { slot.pointee.openBuy = sum } else { slot.pointee.openSell = sum }
    updateExposure(slot)
  }

  package func exposure(of instrument: InstrumentID) -> GateExposure? {
    let slot = slot(instrument)
    guard slot.pointee.isKnown else { return nil }
    return GateExposure(
      position: Quantity(slot.pointee.position), openBuy: Quantity(slot.pointee.openBuy),
      openSell: Quantity(slot.pointee.openSell),
      mark: slot.pointee.mark == 0 ? nil : Price(slot.pointee.mark))
  }

  func earn(_ raw: Int128, factor: Int128) {
    let (money, overflow) = raw.multipliedReportingOverflow(by: factor)
    let (sum, carried) = state.pointee.profit.addingReportingOverflow(money)
    guard !overflow, !carried else { return halt() }
    state.pointee.profit = sum
  }

  /// Numbers beyond all reason: nothing more passes until a person has looked.
  func halt() { state.pointee.state = .halted }

  @inline(__always)
  func updateExposure(_ slot: UnsafeMutablePointer<GateSlot>) {
    guard state.pointee.isGrossLimited else { return }
    let exposure = worstExposure(
      slot, addingBuy: 0, addingSell: 0, orderPrice: slot.pointee.orderPrice)
    state.pointee.gross += exposure - slot.pointee.exposure
    slot.pointee.exposure = exposure
  }

  /// The larger of all buys filled and all sells filled, at the mark, in account money.
  @inline(__always)
  func worstExposure(
    _ slot: UnsafeMutablePointer<GateSlot>, addingBuy: Int64, addingSell: Int64, orderPrice: Int64
  ) -> Int128 {
    let position = Int128(slot.pointee.position)
    let long = abs(position + Int128(slot.pointee.openBuy) + Int128(addingBuy))
    let short = abs(position - Int128(slot.pointee.openSell) - Int128(addingSell))
    let price = slot.pointee.mark == 0 ? orderPrice : slot.pointee.mark
    // One multiplication where the quantity fits 64 bits, as it does outside of tests.
    guard let quantity = Int64(exactly: max(long, short)) else { return GateSlot.exposureMax }
    let worth = Int128(quantity) &* Int128(price)
    let factor = slot.pointee.moneyFactor
    if factor == 1 { return min(worth, GateSlot.exposureMax) }
    let (money, overflow) = worth.multipliedReportingOverflow(by: factor)
    return overflow ? GateSlot.exposureMax : min(money, GateSlot.exposureMax)
  }
}

extension GateSlot {
  /// No exposure counts for more, and no limit is above it: sums of 65,536 still fit 128 bits.
  static var exposureMax: Int128 { 1 << 110 }
}
