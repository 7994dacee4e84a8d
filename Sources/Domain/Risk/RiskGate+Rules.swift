internal import Units
internal import Venue

/// One function per rule: nil passes. All are pure, and read one slot and the account.
extension RiskGate {
  @inline(__always)
  func finding(
    of rule: RiskRule, on request: GateRequest, _ slot: UnsafeMutablePointer<GateSlot>
  ) -> GateFinding? {
    switch rule {
    case .killSwitch:
      killSwitch.isEngaged ? GateFinding(reason: .killSwitch, actual: 1, limit: 0) : nil
    case .wellFormed: malformation(request.order, slot)
    case .tradingState: stateFinding(request, slot)
    case .ordersPerSecond:
      rateFinding(request, max: state.pointee.ordersPerSecond, windowNanoseconds: 1_000_000_000)
    case .ordersPerMinute:
      rateFinding(request, max: state.pointee.ordersPerMinute, windowNanoseconds: 60_000_000_000)
    case .orderSize: sizeFinding(request.order, slot)
    case .position: positionFinding(request, slot)
    case .notional: notionalFinding(request, slot)
    case .dailyLoss: lossFinding(request, slot)
    case .grossExposure: state.pointee.isGrossLimited ? grossFinding(request, slot) : nil
    case .priceBand: slot.pointee.bandDenominator > 0 ? bandFinding(request, slot) : nil
    }
  }

  @inline(__always)
  private func malformation(
    _ order: GateOrder, _ slot: UnsafeMutablePointer<GateSlot>
  ) -> GateFinding? {
    guard slot.pointee.isKnown else {
      return GateFinding(reason: .invalidSymbol, actual: Int128(order.instrument.index), limit: 0)
    }
    guard slot.pointee.isTrading else {
      return GateFinding(reason: .marketClosed, actual: 0, limit: 0)
    }
    guard order.quantity.raw > 0 else {
      return GateFinding(reason: .invalidOrder, actual: Int128(order.quantity.raw), limit: 0)
    }
    switch order.type {
    case .market: return nil
    case .limit where order.price.raw > 0: return nil
    case .limit:
      return GateFinding(reason: .invalidOrder, actual: Int128(order.price.raw), limit: 0)
    }
  }

  @inline(__always)
  private func stateFinding(
    _ request: GateRequest, _ slot: UnsafeMutablePointer<GateSlot>
  ) -> GateFinding? {
    switch state.pointee.state {
    case .active: return nil
    case .halted: return GateFinding(reason: .killSwitch, actual: 0, limit: 0)
    case .reducing: return increase(request, slot, reason: .positionLimit)
    }
  }

  /// Nil when the order brings the symbol's position nearer to zero, all open orders of its side
  /// counted.
  private func increase(
    _ request: GateRequest, _ slot: UnsafeMutablePointer<GateSlot>, reason: RejectReason
  ) -> GateFinding? {
    let group = group(slot)
    let position = group.pointee.position
    let isBuy = request.isBuy
    let open = isBuy ? group.pointee.openBuy : group.pointee.openSell
    let mayTrade = max(0, isBuy ? -position : position)
    let wouldTrade = open + grouped(request.added, slot)
    guard wouldTrade > mayTrade else { return nil }
    return GateFinding(reason: reason, actual: wouldTrade, limit: mayTrade)
  }

  /// Exact: refuses the order that would be number `max + 1` of those admitted in the window that
  /// ends now. An order exactly one window old is out of it.
  @inline(__always)
  private func rateFinding(
    _ request: GateRequest, max: Int, windowNanoseconds: UInt64
  ) -> GateFinding? {
    let admitted = state.pointee.admitted
    guard admitted >= UInt64(max), !request.isCounted else { return nil }
    if max > 0 {
      let oldest = ring.pointee.time(of: admitted &- UInt64(max))
      // A clock that stepped back counts as no time at all.
      if request.now >= oldest, request.now &- oldest >= windowNanoseconds { return nil }
    }
    return GateFinding(reason: .rateLimit, actual: Int128(max) + 1, limit: Int128(max))
  }

  @inline(__always)
  private func sizeFinding(
    _ order: GateOrder, _ slot: UnsafeMutablePointer<GateSlot>
  ) -> GateFinding? {
    guard order.quantity.raw > slot.pointee.sizeMax else { return nil }
    return GateFinding(
      reason: .maxSize, actual: Int128(order.quantity.raw), limit: Int128(slot.pointee.sizeMax))
  }

  /// The worst case over all venues of the symbol: every open order of this side fills and none of
  /// the other.
  @inline(__always)
  private func positionFinding(
    _ request: GateRequest, _ slot: UnsafeMutablePointer<GateSlot>
  ) -> GateFinding? {
    let group = group(slot)
    let position = group.pointee.position
    let isBuy = request.isBuy
    let open =
      (isBuy ? group.pointee.openBuy : group.pointee.openSell) + grouped(request.added, slot)
    let worst = isBuy ? position + open : position - open
    let limit = isBuy ? group.pointee.longMax : -group.pointee.shortMax
    let isWithin = isBuy ? worst <= limit : worst >= limit
    let own = isBuy ? slot.pointee.openBuy : slot.pointee.openSell
    let doesFit = open <= GateGroup.sumMax && !own.addingReportingOverflow(request.added).overflow
    guard !isWithin || !doesFit else { return nil }
    return GateFinding(reason: .positionLimit, actual: worst, limit: limit)
  }

  /// A sell is valued at the higher of its price and the reference: it trades at the bid. On a
  /// tainted book no price values anything: whoever made the order saw what is not there.
  @inline(__always)
  private func notionalFinding(
    _ request: GateRequest, _ slot: UnsafeMutablePointer<GateSlot>
  ) -> GateFinding? {
    if slot.pointee.isTainted {
      return GateFinding(reason: .noReferencePrice, actual: 0, limit: 0)
    }
    let reference = reference(slot, now: request.now)
    var price = request.order.price.raw
    switch request.order.type {
    case .market:
      guard let reference else {
        return GateFinding(reason: .noReferencePrice, actual: 0, limit: 0)
      }
      price = reference
    case .limit:
      if !request.isBuy { price = max(price, reference ?? 0) }
    }
    let notional = Int128(price) &* Int128(request.order.quantity.raw)
    guard notional > slot.pointee.notionalMax else { return nil }
    return GateFinding(reason: .maxNotional, actual: notional, limit: slot.pointee.notionalMax)
  }

  /// Once reached it is reached for the day; what reduces still passes.
  @inline(__always)
  private func lossFinding(
    _ request: GateRequest, _ slot: UnsafeMutablePointer<GateSlot>
  ) -> GateFinding? {
    let profit = state.pointee.profit
    let limit = -state.pointee.lossMax
    guard profit <= limit || state.pointee.isLossLatched else { return nil }
    guard increase(request, slot, reason: .dailyLoss) != nil else { return nil }
    return GateFinding(reason: .dailyLoss, actual: profit, limit: limit)
  }

  /// What lessens the exposure of its symbol always passes.
  private func grossFinding(
    _ request: GateRequest, _ slot: UnsafeMutablePointer<GateSlot>
  ) -> GateFinding? {
    let group = group(slot)
    let added = grouped(request.added, slot)
    let exposure = worstExposure(
      group, addingBuy: request.isBuy ? added : 0, addingSell: request.isBuy ? 0 : added,
      orderPrice: groupPrice(request.order.price.raw, slot))
    guard exposure > group.pointee.exposure else { return nil }
    let gross = state.pointee.gross - group.pointee.exposure + exposure
    guard gross > state.pointee.grossMax else { return nil }
    return GateFinding(reason: .positionLimit, actual: gross, limit: state.pointee.grossMax)
  }

  /// |price - reference| / reference above the band; a missing or old reference refuses too.
  private func bandFinding(
    _ request: GateRequest, _ slot: UnsafeMutablePointer<GateSlot>
  ) -> GateFinding? {
    guard let reference = reference(slot, now: request.now) else {
      return GateFinding(reason: .noReferencePrice, actual: 0, limit: 0)
    }
    if case .market = request.order.type { return nil }
    let price = request.order.price.raw
    let distance = abs(Int128(price) - Int128(reference))
    // Both products are below 2^63 x 10^18 < 2^123.
    let isWithin =
      distance * Int128(slot.pointee.bandDenominator)
      <= Int128(reference) * Int128(slot.pointee.bandNumerator)
    guard !isWithin else { return nil }
    return GateFinding(reason: .priceBands, actual: Int128(price), limit: Int128(reference))
  }

  @inline(__always)
  private func reference(_ slot: UnsafeMutablePointer<GateSlot>, now: UInt64) -> Int64? {
    guard slot.pointee.hasReference else { return nil }
    let time = slot.pointee.markTime
    guard now <= time || now &- time <= state.pointee.referenceAgeMax else { return nil }
    return slot.pointee.mark
  }
}
