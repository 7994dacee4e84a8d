package import Chrono
internal import Mutants
package import Units
package import Venue

/// Refuses orders that would break a limit, before anybody else sees them.
///
/// One gate per account and currency, one writer per gate: no locks, no allocation, no calls out;
/// only the kill switch and the counters are shared with other threads. An admitted order reserves
/// its exposure at once, so two orders that only fit alone cannot both pass; the reservation
/// becomes position by `fill`, or goes by `release`. `OrderReservations` keeps the books per order.
///
/// Refused orders do not count for the rate limits: these protect the venue, which never sees them.
///
/// Arithmetic cannot be used to slip by: sums are 128 bits wide, and a profit that would not fit
/// halts the account.
package final class RiskGate {
  package let account: String
  package let killSwitch: KillSwitch
  package let counters: RiskCounters
  package internal(set) var limits: RiskLimits
  package let moneyScale: UInt8
  let instruments: [Int32: Instrument]
  // Fields behind pointers that never change: the hot path then has no exclusivity checks.
  let state: UnsafeMutablePointer<GateAccount>
  let ring: UnsafeMutablePointer<AdmissionRing>
  private let slots: UnsafeMutableRawPointer
  let slotCount: Int
  let groups: UnsafeMutableRawPointer
  let groupCount: Int

  /// `instruments` are all that may be traded; every one must be quoted in the limits' currency.
  package init(
    account: String, instruments: [Instrument], limits: RiskLimits, killSwitch: KillSwitch,
    counters: RiskCounters
  ) throws(RiskLimitFault) {
    try limits.validate()
    var byIndex: [Int32: Instrument] = [:]
    for instrument in instruments {
      guard instrument.id.index >= 0, byIndex[instrument.id.index] == nil else {
        throw .duplicateInstrument(instrument.symbol)
      }
      byIndex[instrument.id.index] = instrument
    }
    self.account = account
    self.killSwitch = killSwitch
    self.counters = counters
    self.limits = limits
    self.instruments = byIndex
    let symbols = SymbolScales.of(instruments)
    self.moneyScale = symbols.values.map(\.notional).max() ?? 0
    self.groupCount = symbols.count
    // One more, for the instrument that is never known.
    self.groups = .allocate(byteCount: (groupCount + 1) * GateGroup.stride, alignment: 128)
    // One more, never known: where an unheard-of instrument looks.
    self.slotCount = Int(byIndex.keys.max() ?? -1) + 1
    self.slots = .allocate(byteCount: (slotCount + 1) * GateSlot.stride, alignment: 128)
    self.state = .allocate(capacity: 1)
    self.ring = .allocate(capacity: 1)
    precondition(RiskRule.allCases.count == 11, "a rule that `isAccepted` does not ask")
    precondition(MemoryLayout<GateSlot>.size <= GateSlot.stride, "a slot outgrew its lines")
    state.initialize(to: GateAccount())
    ring.initialize(to: AdmissionRing(holding: 1))
    precondition(MemoryLayout<GateGroup>.size <= GateGroup.stride, "a group outgrew its lines")
    for index in 0...groupCount { group(at: index).initialize(to: GateGroup()) }
    for index in 0...slotCount {
      slot(at: index).initialize(to: GateSlot(group(at: groupCount)))
    }
    join(symbols)
    try apply(limits)
  }

  deinit {
    ring.pointee.free()
    ring.deallocate()
    state.deallocate()
    slots.deallocate()
    groups.deallocate()
  }

  /// Puts every instrument into the group of its symbol.
  private func join(_ symbols: [String: SymbolScales]) {
    for (number, symbol) in symbols.sorted(by: { $0.key < $1.key }).enumerated() {
      let group = group(at: number)
      group.pointee.quantityScale = symbol.value.quantity
      group.pointee.priceScale = symbol.value.price
      for (index, instrument) in instruments where instrument.gateSymbol == symbol.key {
        let slot = slot(at: Int(index))
        slot.pointee.group = group
        slot.pointee.quantityFactor =
          powerOfTen(symbol.value.quantity - instrument.quantityScale) ?? .max
        slot.pointee.priceFactor = powerOfTen(symbol.value.price - instrument.priceScale) ?? .max
        slot.pointee.nextOfGroup = group.pointee.first
        group.pointee.first = index
      }
    }
  }

  /// Asks every rule in order. An admitted order has its exposure reserved and counts for the
  /// rates.
  package func admit(_ order: GateOrder, now: Uptime) -> Verdict {
    decide(order, held: 0, now: now)
  }

  /// The same for new terms of an order that still holds `held` of its reservation.
  /// `order.quantity` is what would be open under the new terms. Until the venue answers either may
  /// be in force: what stays reserved is the larger of the two.
  package func replace(_ order: GateOrder, held: Quantity, now: Uptime) -> Verdict {
    decide(order, held: held.raw, now: now)
  }

  /// What `admit` would answer now. It changes nothing: no reservation, no rate, no counter.
  package func check(_ order: GateOrder, now: Uptime) -> Verdict {
    let slot = slot(order.instrument)
    return verdict(on: request(order, held: 0, now, slot), slot)
  }

  /// Asks the rules again of an order that was admitted, holds its reservation and has been counted
  /// for the rates; changes nothing.
  package func recheck(_ order: GateOrder, held: Quantity, now: Uptime) -> Verdict {
    let slot = slot(order.instrument)
    var request = request(order, held: held.raw, now, slot)
    request.isCounted = true
    return verdict(on: request, slot)
  }

  private func decide(_ order: GateOrder, held: Int64, now: Uptime) -> Verdict {
    let slot = slot(order.instrument)
    let request = request(order, held: held, now, slot)
    let verdict = verdict(on: request, slot)
    switch verdict {
    case .accepted: reserve(request, slot)
    case .refused(let refusal): counters.countRefused(by: refusal.rule)
    }
    return verdict
  }

  @inline(__always)
  private func request(
    _ order: GateOrder, held: Int64, _ now: Uptime, _ slot: UnsafeMutablePointer<GateSlot>
  ) -> GateRequest {
    let isBuy = order.side.isBuy
    let open = isBuy ? slot.pointee.openBuy : slot.pointee.openSell
    return GateRequest(
      order: order, isBuy: isBuy, held: min(max(0, held), open), now: now.nanoseconds)
  }

  @inline(__always)
  private func verdict(
    on request: GateRequest, _ slot: UnsafeMutablePointer<GateSlot>
  ) -> Verdict {
    isAccepted(request, slot) ? .accepted : firstRefusal(of: request, slot)
  }

  /// Every rule of `RiskRule`. Whether each passes is all that is asked here, written out one after the
  /// other: what a rule found, and a loop over what rules are, cost more than most of them.
  @inline(__always)
  private func isAccepted(
    _ request: GateRequest, _ slot: UnsafeMutablePointer<GateSlot>
  ) -> Bool {
    passes(.killSwitch, request, slot) && passes(.wellFormed, request, slot)
      && passes(.tradingState, request, slot) && passes(.ordersPerSecond, request, slot)
      && passes(.ordersPerMinute, request, slot) && passes(.orderSize, request, slot)
      && passes(.position, request, slot) && passes(.notional, request, slot)
      && passes(.dailyLoss, request, slot) && passes(.grossExposure, request, slot)
      && passes(.priceBand, request, slot)
  }

  @inline(__always)
  private func passes(
    _ rule: RiskRule, _ request: GateRequest, _ slot: UnsafeMutablePointer<GateSlot>
  ) -> Bool {
    if case .some = finding(of: rule, on: request, slot) { false } else { true }
  }

  /// The first rule that refuses, with what it found.
  @inline(never)
  private func firstRefusal(
    of request: GateRequest, _ slot: UnsafeMutablePointer<GateSlot>
  ) -> Verdict {
    var index: UInt8 = 0
    while let rule = RiskRule(rawValue: index) {
      index += 1
      guard let finding = finding(of: rule, on: request, slot) else { continue }
      return .refused(
        Refusal(
          rule: rule, reason: finding.reason, instrument: request.order.instrument,
          actual: finding.actual, limit: finding.limit))
    }
    preconditionFailure("a rule has refused and none refuses")
  }

  private func reserve(_ request: GateRequest, _ slot: UnsafeMutablePointer<GateSlot>) {
    // The position rule has proven that these sums fit.
    let group = group(slot)
    if request.isBuy {
      slot.pointee.openBuy += request.added
      group.pointee.openBuy &+= grouped(request.added, slot)
    } else {
      slot.pointee.openSell += request.added
      group.pointee.openSell &+= grouped(request.added, slot)
    }
    if group.pointee.mark == 0 {
      group.pointee.orderPrice = groupPrice(request.order.price.raw, slot)
    }
    ring.pointee.record(request.now, number: state.pointee.admitted)
    state.pointee.admitted &+= 1
    counters.countAdmitted()
    updateExposure(group)
  }

  @inline(__always)
  func slot(_ id: InstrumentID) -> UnsafeMutablePointer<GateSlot> {
    let index = Int(id.index)
    return slot(at: index >= 0 && index < slotCount ? index : slotCount)
  }

  @inline(__always)
  func slot(at index: Int) -> UnsafeMutablePointer<GateSlot> {
    (slots + index * GateSlot.stride).assumingMemoryBound(to: GateSlot.self)
  }
}

/// The finest scales of a symbol's markets.
private struct SymbolScales {
  var price: UInt8
  var quantity: UInt8
  var notional: UInt8 { price + quantity }

  static func of(_ instruments: [Instrument]) -> [String: SymbolScales] {
    var found: [String: SymbolScales] = [:]
    for instrument in instruments {
      let known = found[instrument.gateSymbol]
      found[instrument.gateSymbol] = SymbolScales(
        price: max(known?.price ?? 0, instrument.priceScale),
        quantity: max(known?.quantity ?? 0, instrument.quantityScale))
    }
    return found
  }
}

/// An order on its way through the rules.
struct GateRequest {
  let order: GateOrder
  let isBuy: Bool
  /// What the order it replaces has reserved.
  let held: Int64
  let now: UInt64
  /// The rates have it already.
  var isCounted = false

  /// What acceptance would reserve on top.
  var added: Int64 { max(0, order.quantity.raw &- held) }
}

/// Why a rule refuses.
struct GateFinding {
  let reason: RejectReason
  let actual: Int128
  let limit: Int128
}

extension Side {
  // A switch, because == of another room's enum is a call through its conformance.
  @inline(__always)
  var isBuy: Bool {
    switch self {
    case .buy: true
    case .sell: false
    }
  }
}

extension Instrument {
  /// What a position limit is for: the symbol, wherever it is traded.
  fileprivate var gateSymbol: String {
    Mutant.isOn(.limitsPerVenue) ? "\(symbol) \(venue.name)" : symbol
  }
}
