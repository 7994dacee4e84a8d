internal import Chrono
internal import Contracts
internal import Orders
internal import Portfolio
internal import Risk
internal import Translation
internal import Units
internal import Venue

/// The risk gate with everything it must be told: limits, prices, and what became of every order.
///
/// An order is reserved before it has an id; until the oms has given one, its reservation stands under
/// a provisional id and is then carried over in one step.
struct GateBook {
  private(set) var gate: RiskGate
  private(set) var orders: [OrderID: OpenOrder] = [:]
  private(set) var provisional: [String: OrderID] = [:]
  private var byClient: [String: OrderID] = [:]
  private var reservations: OrderReservations
  /// Replacements on their way: what the gate has admitted stays reserved although the oms still
  /// tells of the order before it.
  private var replacing: [OrderID: PendingReplacement] = [:]
  private var lastProvisional = UInt64.max

  init(_ gate: RiskGate, ordersMax: Int) {
    self.gate = gate
    self.reservations = OrderReservations(gate, ordersMax: ordersMax)
  }

  /// Takes in instruments that are new; all else stays as it is.
  mutating func grow(to instruments: [Instrument]) throws(RiskLimitFault) {
    gate = try gate.grown(to: instruments)
    reservations.move(to: gate)
  }

  var openCount: Int { orders.count + provisional.count }

  func knows(clientOrderID: String) -> Bool {
    provisional[clientOrderID] != nil || byClient[clientOrderID] != nil
  }

  // MARK: New orders

  mutating func admit(_ ticket: OrderTicket, now: Uptime) -> Verdict {
    lastProvisional -= 1
    let id = OrderID(lastProvisional)
    let verdict = reservations.admit(id, ticket.gateOrder, now: now)
    if verdict.isAccepted { provisional[ticket.clientOrderID] = id }
    return verdict
  }

  /// The oms refused, or never had it.
  mutating func abandon(_ clientOrderID: String) {
    guard let id = provisional.removeValue(forKey: clientOrderID) else { return }
    reservations.update(id, open: .zero)
  }

  private struct PendingReplacement {
    /// The new total, what has filled included.
    let quantity: Quantity
    /// The order's version with it; nil before the oms has answered.
    var version: UInt32?
  }

  /// `quantity` is the new total; what is open of it is the gate's order.
  mutating func replace(
    _ id: OrderID, _ order: GateOrder, quantity: Quantity, now: Uptime
  ) -> Verdict {
    let verdict = reservations.replace(id, order, now: now)
    if verdict.isAccepted { replacing[id] = PendingReplacement(quantity: quantity) }
    return verdict
  }

  /// The oms has taken it: from `version` on its word counts.
  mutating func expect(_ id: OrderID, version: UInt32) {
    replacing[id]?.version = version
    if let known = orders[id], known.version >= version { follow(known) }
  }

  /// The oms has refused it, or nobody knows: the order's next event says what is open.
  mutating func giveUpReplacing(_ id: OrderID) { replacing[id] = nil }

  func isReplacing(_ id: OrderID) -> Bool { replacing[id] != nil }

  // MARK: What became of them

  /// The order as the oms has it now: its reservation follows.
  mutating func follow(_ order: OpenOrder) {
    let known = orders[order.id]
    if let temporary = provisional.removeValue(forKey: order.clientOrderID) {
      reservations.update(temporary, open: .zero)
    }
    if order.isDone {
      replacing[order.id] = nil
      orders[order.id] = nil
      byClient[order.clientOrderID] = nil
      reservations.update(order.id, open: .zero)
      return
    }
    orders[order.id] = order
    byClient[order.clientOrderID] = order.id
    if known == nil {
      reservations.restore(order.id, order.instrument, order.side, open: order.open)
    } else {
      reservations.update(order.id, open: max(order.open, openOfReplacement(order)))
    }
  }

  private mutating func openOfReplacement(_ order: OpenOrder) -> Quantity {
    guard let pending = replacing[order.id] else { return .zero }
    guard let version = pending.version, order.version >= version else {
      return pending.quantity - order.filled
    }
    replacing[order.id] = nil
    return .zero
  }

  /// A fill, before the order's new state is followed.
  mutating func fill(_ order: OpenOrder, _ fill: VenueFill, _ instrument: Instrument) {
    reservations.fill(order.id, order.instrument, order.side, fill.quantity, at: fill.price)
    guard !fill.fee.isZero else { return }
    if fill.feeAsset == instrument.quote {
      gate.charge(fill.fee)
    } else if fill.feeAsset == instrument.base {
      let worth = Int128(fill.fee.units) * Int128(fill.price.raw)
      do {
        gate.charge(try Decimal(exactly: worth, scale: fill.fee.scale + instrument.priceScale))
      } catch {
        // Digits that do not fit: charged at a coarser scale, against us.
        let coarse = worth / 1_000_000_000 + 1
        let scale = fill.fee.scale + instrument.priceScale - 9
        if let units = Int64(exactly: coarse) { gate.charge(Decimal(units: units, scale: scale)) }
      }
    }
  }

  func quotes(of strategy: String, _ instrument: InstrumentID) -> [OpenOrder] {
    orders.values.filter { $0.strategy == strategy && $0.instrument == instrument }
      .sorted { $0.id < $1.id }
  }
}
