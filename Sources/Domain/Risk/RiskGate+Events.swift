package import Chrono
package import Portfolio
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
    let group = group(slot)
    if side.isBuy {
      slot.pointee.openBuy -= released
      group.pointee.openBuy -= grouped(released, slot)
    } else {
      slot.pointee.openSell -= released
      group.pointee.openSell -= grouped(released, slot)
    }
    updateExposure(group)
    return released == quantity.raw
  }

  /// Counts a fill of today into position and profit. `reserved` is how much of it the order still
  /// held in reservation: all of it normally, zero for a fill that came after the release.
  package func fill(
    _ instrument: InstrumentID, _ side: Side, _ quantity: Quantity, at price: Price,
    reserved: Quantity
  ) {
    let slot = slot(instrument)
    guard slot.pointee.isKnown, quantity.raw > 0, price.raw > 0 else { return }
    release(instrument, side, Quantity(min(reserved.raw, quantity.raw)))
    let signed = side.isBuy ? quantity.raw : -quantity.raw
    guard move(slot, by: signed) else { return }
    let group = group(slot)
    if slot.pointee.mark == 0 {
      slot.pointee.mark = price.raw
      remark(group)
    }
    earn(
      Int128(signed) * Int128(slot.pointee.mark - price.raw), factor: slot.pointee.moneyFactor)
    updateExposure(group)
  }

  /// Counts a fill of an earlier day: the day began with it, and its profit is not of today.
  package func inherit(
    _ instrument: InstrumentID, _ side: Side, _ quantity: Quantity, reserved: Quantity
  ) {
    let slot = slot(instrument)
    guard slot.pointee.isKnown, quantity.raw > 0 else { return }
    release(instrument, side, Quantity(min(reserved.raw, quantity.raw)))
    let signed = side.isBuy ? quantity.raw : -quantity.raw
    if move(slot, by: signed) { begin(slot, with: signed) }
    updateExposure(group(slot))
  }

  /// The day began with so much more of a position that has moved already.
  func begin(_ slot: UnsafeMutablePointer<GateSlot>, with signed: Int64) {
    let (carried, overflow) = slot.pointee.dayPosition.addingReportingOverflow(signed)
    guard !overflow else { return halt() }
    slot.pointee.dayPosition = carried
    if slot.pointee.isMarked, slot.pointee.dayMark != 0 {
      earn(
        Int128(signed) * Int128(slot.pointee.mark - slot.pointee.dayMark),
        factor: slot.pointee.moneyFactor)
    }
  }

  /// Moves the position; false when that halted.
  func move(_ slot: UnsafeMutablePointer<GateSlot>, by signed: Int64) -> Bool {
    let (position, overflow) = slot.pointee.position.addingReportingOverflow(signed)
    guard !overflow else {
      halt()
      return false
    }
    slot.pointee.position = position
    add(grouped(signed, slot), to: &group(slot).pointee.position)
    return true
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
    value(slot, at: price.raw)
    slot.pointee.mark = price.raw
    slot.pointee.markTime = now.nanoseconds
    slot.pointee.hasReference = true
    let group = group(slot)
    remark(group)
    updateExposure(group)
  }

  /// What a new mark earns. The first one values the position that the day began with from the mark
  /// that it had then; where that is not known, the day begins with this one.
  private func value(_ slot: UnsafeMutablePointer<GateSlot>, at price: Int64) {
    let factor = slot.pointee.moneyFactor
    guard !slot.pointee.isMarked else {
      return earn(Int128(price - slot.pointee.mark) * Int128(slot.pointee.position), factor: factor)
    }
    slot.pointee.isMarked = true
    let today = Int128(slot.pointee.position) - Int128(slot.pointee.dayPosition)
    if slot.pointee.mark != 0 { earn(Int128(price - slot.pointee.mark) * today, factor: factor) }
    if slot.pointee.dayMark == 0 {
      slot.pointee.dayMark = price
    } else {
      earn(
        Int128(price - slot.pointee.dayMark) * Int128(slot.pointee.dayPosition), factor: factor)
    }
  }

  /// Takes a fee in the gate's currency off today's profit; a rebate is negative. A digit finer
  /// than the gate's money counts as one more.
  package func charge(_ fee: Amount) {
    let money = units(fee, atScale: moneyScale, roundingUp: true)
    earn(-money, factor: 1)
  }

  package func charge(_ fee: Decimal) { charge(Amount(fee)) }

  /// Begins the UTC day of `time` when it is later than any before it: today's profit is zero, a loss
  /// limit that was reached is not any more, and positions count from their marks of now.
  package func roll(to time: Instant) {
    let today = Self.day(of: time)
    guard today > state.pointee.day else { return }
    if state.pointee.day != .min {
      state.pointee.profit = 0
      state.pointee.isLossLatched = false
      for index in 0..<slotCount {
        let slot = slot(at: index)
        slot.pointee.dayPosition = slot.pointee.position
        slot.pointee.dayMark = slot.pointee.isMarked ? slot.pointee.mark : 0
      }
    }
    state.pointee.day = today
  }

  /// Whole days since 1970-01-01, UTC; also before it.
  package static func day(of time: Instant) -> Int64 {
    let length: Int64 = 86_400_000_000_000
    let (day, rest) = time.nanoseconds.quotientAndRemainder(dividingBy: length)
    return rest < 0 ? day - 1 : day
  }

  /// The day that profit is counted for; nil before the first `roll`.
  package var day: Int64? { state.pointee.day == .min ? nil : state.pointee.day }

  /// Whether every position has a price that values it.
  package var isValued: Bool {
    for index in 0..<slotCount {
      let slot = slot(at: index).pointee
      if slot.isKnown, !slot.isMarked, slot.position != 0 || slot.dayPosition != 0 { return false }
    }
    return true
  }

  /// The mark that an instrument began the day with; nil while it is not known.
  package func dayMark(of instrument: InstrumentID) -> Price? {
    let mark = slot(instrument).pointee.dayMark
    return mark == 0 ? nil : Price(mark)
  }

  /// The mark that an instrument began this day with, as an earlier process knew it. Before any price.
  package func restore(_ instrument: InstrumentID, dayMark: Price) {
    let slot = slot(instrument)
    guard slot.pointee.isKnown, !slot.pointee.isMarked, dayMark.raw > 0 else { return }
    slot.pointee.dayMark = dayMark.raw
  }

  /// Whether the loss limit was reached today.
  package var isLossLatched: Bool { state.pointee.isLossLatched }

  /// As an earlier process knew it.
  package func restoreLossLatch() { state.pointee.isLossLatched = true }

  /// An operator has looked. While the loss is at its limit it is reached again at once.
  package func resetDailyLoss() {
    state.pointee.isLossLatched = false
    watchLoss()
  }

  /// False while history is read, whose profits on the way were never so: a limit is reached by what
  /// stands when it becomes true.
  package var watchesLoss: Bool {
    get { state.pointee.watchesLoss }
    set {
      state.pointee.watchesLoss = newValue
      watchLoss()
    }
  }

  private func watchLoss() {
    if state.pointee.watchesLoss, state.pointee.profit <= -state.pointee.lossMax {
      state.pointee.isLossLatched = true
    }
  }

  package func setTrading(_ instrument: InstrumentID, isOpen: Bool) {
    slot(instrument).pointee.isTrading = isOpen
  }

  package var tradingState: TradingState {
    get { state.pointee.state }
    set { state.pointee.state = newValue }
  }

  /// Reserves without asking: for orders that are open already.
  package func reserve(_ instrument: InstrumentID, _ side: Side, _ quantity: Quantity) {
    let slot = slot(instrument)
    guard slot.pointee.isKnown, quantity.raw > 0 else { return }
    let open = side.isBuy ? slot.pointee.openBuy : slot.pointee.openSell
    let (sum, overflow) = open.addingReportingOverflow(quantity.raw)
    guard !overflow else { return halt() }
    let group = group(slot)
    if side.isBuy {
      slot.pointee.openBuy = sum
      add(grouped(quantity.raw, slot), to: &group.pointee.openBuy)
    } else {
      slot.pointee.openSell = sum
      add(grouped(quantity.raw, slot), to: &group.pointee.openSell)
    }
    updateExposure(group)
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
    watchLoss()
  }

  /// Numbers beyond all reason: nothing more passes until a person has looked.
  func halt() { state.pointee.state = .halted }

  @inline(__always)
  func updateExposure(_ group: UnsafeMutablePointer<GateGroup>) {
    guard state.pointee.isGrossLimited else { return }
    let exposure = worstExposure(
      group, addingBuy: 0, addingSell: 0, orderPrice: group.pointee.orderPrice)
    state.pointee.gross += exposure - group.pointee.exposure
    group.pointee.exposure = exposure
  }

  /// The larger of all buys filled and all sells filled, at the mark, in account money.
  @inline(__always)
  func worstExposure(
    _ group: UnsafeMutablePointer<GateGroup>, addingBuy: Int128, addingSell: Int128,
    orderPrice: Int64
  ) -> Int128 {
    let position = group.pointee.position
    let long = abs(position + group.pointee.openBuy + addingBuy)
    let short = abs(position - group.pointee.openSell - addingSell)
    let price = group.pointee.mark == 0 ? orderPrice : group.pointee.mark
    // One multiplication where the quantity fits 64 bits, as it does outside of tests.
    guard let quantity = Int64(exactly: max(long, short)) else { return GateSlot.exposureMax }
    let worth = Int128(quantity) &* Int128(price)
    let factor = group.pointee.moneyFactor
    if factor == 1 { return min(worth, GateSlot.exposureMax) }
    let (money, overflow) = worth.multipliedReportingOverflow(by: factor)
    return overflow ? GateSlot.exposureMax : min(money, GateSlot.exposureMax)
  }
}

extension GateSlot {
  /// No exposure counts for more, and no limit is above it: sums of 65,536 still fit 128 bits.
  static var exposureMax: Int128 { 1 << 110 }
}
