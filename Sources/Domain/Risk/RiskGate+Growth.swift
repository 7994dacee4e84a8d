internal import Units
package import Venue

extension RiskGate {
  package var instrumentCount: Int { instruments.count }

  /// A gate of more instruments that goes on where this one is: positions, reservations, references,
  /// today's profit, the state and the rates are carried over. This one is not to be used any more.
  ///
  /// `all` holds the instruments of this gate under the same ids. Where the new ones are counted in
  /// finer money, what was counted so far is carried to that scale; a profit that does not fit there
  /// halts the account.
  package func grown(to all: [Instrument]) throws(RiskLimitFault) -> RiskGate {
    let next = try RiskGate(
      account: account, instruments: all, limits: limits, killSwitch: killSwitch,
      counters: counters)
    for index in instruments.keys { next.carry(slot(at: Int(index)).pointee, to: Int(index)) }
    // Markets that are new may count a symbol in finer steps: its sums are made anew.
    next.regroup()
    next.carry(state.pointee, scale: moneyScale)
    let kept = min(state.pointee.admitted, UInt64(ring.pointee.capacity))
    next.ring.pointee = next.ring.pointee.grown(
      toHold: ring.pointee.capacity, admitted: 0)
    for number in (state.pointee.admitted - kept)..<state.pointee.admitted {
      next.ring.pointee.record(ring.pointee.time(of: number), number: number)
    }
    // Exposure is taken anew, in the new scale.
    try next.apply(limits)
    return next
  }

  private func carry(_ known: GateSlot, to index: Int) {
    let slot = slot(at: index)
    slot.pointee.isTrading = known.isTrading
    slot.pointee.hasReference = known.hasReference
    slot.pointee.isTainted = known.isTainted
    slot.pointee.position = known.position
    slot.pointee.baseFeeRest = known.baseFeeRest
    slot.pointee.openBuy = known.openBuy
    slot.pointee.openSell = known.openSell
    slot.pointee.mark = known.mark
    slot.pointee.markTime = known.markTime
    slot.pointee.isMarked = known.isMarked
    slot.pointee.dayPosition = known.dayPosition
    slot.pointee.dayMark = known.dayMark
  }

  private func carry(_ known: GateAccount, scale: UInt8) {
    state.pointee.day = known.day
    state.pointee.admitted = known.admitted
    state.pointee.state = known.state
    state.pointee.isLossLatched = known.isLossLatched
    state.pointee.watchesLoss = known.watchesLoss
    var profit = known.profit
    for _ in scale..<max(scale, moneyScale) {
      let (product, overflow) = profit.multipliedReportingOverflow(by: 10)
      if overflow { state.pointee.state = .halted }
      profit = overflow ? (profit < 0 ? -Int128.max : .max) : product
    }
    state.pointee.profit = profit
  }
}
