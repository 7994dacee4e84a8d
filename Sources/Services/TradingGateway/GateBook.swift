internal import Chrono
internal import Contracts
internal import Mutants
internal import Orders
internal import Portfolio
internal import Risk
internal import Signals
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
  private(set) var provisional: [String: ProvisionalOrder] = [:]
  private var byClient: [String: OrderID] = [:]
  /// Client order ids of provisional orders that end with an event of the stream.
  private var ending: Set<String> = []
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

  // MARK: New orders

  /// What is known of a client order id that is asked for again.
  enum Standing {
    case unknown
    /// Admitted, and not yet told of by the oms: with the same terms, or with others.
    case provisional(asksTheSame: Bool)
    /// The oms has told of it.
    case open
  }

  func standing(_ ticket: OrderTicket, strategy: String) -> Standing {
    if let known = provisional[ticket.clientOrderID] {
      return .provisional(
        asksTheSame: known.ticket.asksTheSame(as: ticket) && known.strategy == strategy)
    }
    return byClient[ticket.clientOrderID] == nil ? .unknown : .open
  }

  /// What the gate would say of a new order; changes nothing.
  func check(_ ticket: OrderTicket, now: Uptime) -> Verdict {
    reservations.check(ticket.gateOrder, now: now)
  }

  /// Precondition: its client order id has no provisional order.
  mutating func admit(_ ticket: OrderTicket, strategy: String, now: Uptime) -> Verdict {
    precondition(
      provisional[ticket.clientOrderID] == nil, "\(ticket.clientOrderID) is already admitted")
    lastProvisional -= 1
    let id = OrderID(lastProvisional)
    let verdict = reservations.admit(id, ticket.gateOrder, now: now)
    if verdict.isAccepted {
      provisional[ticket.clientOrderID] = ProvisionalOrder(
        id: id, ticket: ticket, strategy: strategy)
    }
    return verdict
  }

  /// A provisional order that is sent once more: its exposure is reserved, and every rule is asked
  /// again, for the oms may never have had it.
  mutating func readmit(_ ticket: OrderTicket, now: Uptime) -> Verdict {
    guard let known = provisional[ticket.clientOrderID] else {
      preconditionFailure("\(ticket.clientOrderID) is not provisional")
    }
    let verdict = reservations.recheck(known.id, ticket.gateOrder, now: now)
    if verdict.isAccepted { provisional[ticket.clientOrderID]?.attempts += 1 }
    return verdict
  }

  /// A call to the oms has ended with proof that it made no order. The reservation goes with the last
  /// such call, unless one ended without proof.
  mutating func refused(_ clientOrderID: String) {
    guard var known = provisional[clientOrderID] else { return }
    known.attempts -= 1
    provisional[clientOrderID] = known
    if Mutant.isOn(.refusalKeepsReservation) { return }
    if known.attempts == 0, !known.isInDoubt { abandon(clientOrderID) }
  }

  /// A call to the oms has ended without proof; true for the first: somebody must find out.
  mutating func doubted(_ clientOrderID: String, now: Uptime) -> Bool {
    guard var known = provisional[clientOrderID] else { return false }
    if Mutant.isOn(.doubtReleases) { return abandonInDoubt(clientOrderID) }
    let isFirst = !known.isInDoubt
    known.attempts -= 1
    known.doubtedAt = now
    provisional[clientOrderID] = known
    return isFirst
  }

  private mutating func abandonInDoubt(_ clientOrderID: String) -> Bool {
    abandon(clientOrderID)
    return false
  }

  /// Nobody has it, and no call is under way that could still bring it.
  mutating func proveAbsent(_ clientOrderID: String) -> Bool {
    guard let known = provisional[clientOrderID], known.attempts == 0 else { return false }
    abandon(clientOrderID)
    return true
  }

  /// The oms's answer: it has the order, or had it. The reservation stands until the stream has told
  /// all of it, for its fills are counted from there.
  mutating func answered(_ order: OpenOrder, through sequence: UInt64, heard: UInt64) {
    guard provisional[order.clientOrderID] != nil else { return }
    if heard >= sequence {
      abandon(order.clientOrderID)
    } else if !order.isDone, order.filled == .zero, orders[order.id] == nil {
      follow(order)
    } else {
      provisional[order.clientOrderID]?.endsWith = sequence
      ending.insert(order.clientOrderID)
    }
  }

  /// The stream has told everything up to `sequence`.
  mutating func heard(through sequence: UInt64) {
    guard !ending.isEmpty else { return }
    for clientOrderID in ending {
      guard let end = provisional[clientOrderID]?.endsWith else {
        ending.remove(clientOrderID)
        continue
      }
      guard end <= sequence else { continue }
      ending.remove(clientOrderID)
      abandon(clientOrderID)
    }
  }

  private mutating func abandon(_ clientOrderID: String) {
    guard let known = provisional.removeValue(forKey: clientOrderID) else { return }
    reservations.update(known.id, open: .zero)
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
    if Mutant.isOn(.replaceUnreserved) { return reservations.check(order, now: now) }
    let verdict = reservations.replace(id, order, now: now)
    if verdict.isAccepted { replacing[id] = PendingReplacement(quantity: quantity) }
    return verdict
  }

  /// The oms has taken it: from `version` on its word counts.
  mutating func expect(_ id: OrderID, version: UInt32) {
    replacing[id]?.version = version
    if let known = orders[id], known.version >= version { follow(known) }
  }

  /// It is proven that the oms has not taken it, and never will: what it had reserved beyond the order
  /// goes back.
  mutating func giveUpReplacing(_ id: OrderID) {
    replacing[id] = nil
    if let current = orders[id] { follow(current) }
  }

  func isReplacing(_ id: OrderID) -> Bool { replacing[id] != nil }

  // MARK: What became of them

  /// The order as the oms has it now: its reservation follows.
  mutating func follow(_ order: OpenOrder) {
    let known = orders[order.id]
    abandon(order.clientOrderID)
    if order.isDone {
      replacing[order.id] = nil
      orders[order.id] = nil
      byClient[order.clientOrderID] = nil
      if Mutant.isOn(.endKeepsReservation) { return }
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

  /// An order that was counted under other terms than its own is counted under these from now on.
  mutating func refile(_ order: OpenOrder) {
    guard let known = orders[order.id], known.instrument != order.instrument else { return }
    reservations.update(order.id, open: .zero)
    reservations.restore(order.id, order.instrument, order.side, open: order.open)
    orders[order.id] = order
  }

  /// A fill, before the order's new state is followed. One of an earlier day was there when this day
  /// began: it and its fee are not of today's profit.
  mutating func fill(
    _ order: OpenOrder, _ fill: VenueFill, _ instrument: Instrument, at time: Instant?
  ) {
    if let time, let today = gate.day, RiskGate.day(of: time) < today {
      reservations.inherit(order.id, order.instrument, order.side, fill.quantity)
      if fill.feeAsset == instrument.base { gate.inheritBase(order.instrument, fill.fee) }
      return
    }
    if Mutant.isOn(.fillUncounted) { return }
    reservations.fill(order.id, order.instrument, order.side, fill.quantity, at: fill.price)
    guard !fill.fee.isZero else { return }
    if fill.feeAsset == instrument.quote {
      gate.charge(Amount(fill.fee))
    } else if fill.feeAsset == instrument.base, !Mutant.isOn(.baseFeeUncounted) {
      gate.chargeBase(order.instrument, fill.fee, at: fill.price)
    }
  }

  /// A strategy's own orders, those included of which the oms has not told yet.
  func quotes(of strategy: String, _ instrument: InstrumentID) -> [OwnQuote] {
    let told = orders.values.filter { $0.strategy == strategy && $0.instrument == instrument }
      .compactMap(\.quote)
    let untold = provisional.values
      .filter { $0.strategy == strategy && $0.ticket.instrument.id == instrument }
      .compactMap(\.quote)
    return (told + untold).sorted { $0.orderID < $1.orderID }
  }
}

/// An order that the gate has admitted and that the oms has not told of yet.
struct ProvisionalOrder: Sendable {
  /// Of its reservation; no order has it.
  let id: OrderID
  let ticket: OrderTicket
  let strategy: String
  /// Calls to the oms that are under way.
  var attempts = 1
  /// When the last call ended without proof: the oms may have it, or come to have it; nil when none did.
  var doubtedAt: Uptime?
  /// The event of the stream with which all of it has been told; nil while that is not known.
  var endsWith: UInt64?

  var isInDoubt: Bool { doubtedAt != nil }

  var quote: OwnQuote? {
    guard let price = ticket.price else { return nil }
    return OwnQuote(
      orderID: id, side: ticket.side, price: price, openQuantity: ticket.quantity,
      filledQuantity: .zero, isPending: true)
  }
}
