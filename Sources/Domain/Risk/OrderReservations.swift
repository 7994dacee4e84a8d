package import Chrono
package import Orders
package import Units
package import Venue

/// What each order still holds of its gate's reservations, so that nothing is given back twice and
/// a late fill takes nothing from another order.
///
/// After every event of an order say what may still fill of it (`OrderLifecycle.openQuantity`);
/// saying the same twice changes nothing.
package struct OrderReservations {
  private var gate: RiskGate
  private var held: [OrderID: Reservation] = [:]

  private struct Reservation {
    var instrument: InstrumentID
    var side: Side
    var quantity: Quantity
  }

  /// `ordersMax` open orders fit without allocation.
  package init(_ gate: RiskGate, ordersMax: Int) {
    self.gate = gate
    held.reserveCapacity(ordersMax)
  }

  /// To a gate that has grown out of this one, and has its reservations.
  package mutating func move(to grown: RiskGate) { gate = grown }

  package var count: Int { held.count }
  package func reserved(by id: OrderID) -> Quantity { held[id]?.quantity ?? .zero }

  /// Precondition: the id is new.
  package mutating func admit(_ id: OrderID, _ order: GateOrder, now: Uptime) -> Verdict {
    precondition(held[id] == nil, "order \(id) is already reserved")
    let verdict = gate.admit(order, now: now)
    if verdict.isAccepted {
      held[id] = Reservation(
        instrument: order.instrument, side: order.side, quantity: order.quantity)
    }
    return verdict
  }

  /// What `admit` would answer now; changes nothing.
  package func check(_ order: GateOrder, now: Uptime) -> Verdict { gate.check(order, now: now) }

  /// Asks the rules again of an order that was admitted; changes nothing.
  package func recheck(_ id: OrderID, _ order: GateOrder, now: Uptime) -> Verdict {
    gate.recheck(order, held: reserved(by: id), now: now)
  }

  /// `order.quantity` is what would be open under the new terms: the new total less what has
  /// filled.
  package mutating func replace(_ id: OrderID, _ order: GateOrder, now: Uptime) -> Verdict {
    let before = reserved(by: id)
    let verdict = gate.replace(order, held: before, now: now)
    if verdict.isAccepted {
      held[id] = Reservation(
        instrument: order.instrument, side: order.side, quantity: max(before, order.quantity))
    }
    return verdict
  }

  /// An order that was open before this process began.
  package mutating func restore(
    _ id: OrderID, _ instrument: InstrumentID, _ side: Side, open: Quantity
  ) {
    precondition(held[id] == nil, "order \(id) is already reserved")
    guard open > .zero else { return }
    gate.reserve(instrument, side, open)
    held[id] = Reservation(instrument: instrument, side: side, quantity: open)
  }

  /// Counts a fill, whether or not the order still holds anything.
  package mutating func fill(
    _ id: OrderID, _ instrument: InstrumentID, _ side: Side, _ quantity: Quantity, at price: Price
  ) {
    let reserved = min(reserved(by: id), quantity)
    gate.fill(instrument, side, quantity, at: price, reserved: reserved)
    held[id]?.quantity -= reserved
  }

  /// Counts a fill of an earlier day.
  package mutating func inherit(
    _ id: OrderID, _ instrument: InstrumentID, _ side: Side, _ quantity: Quantity
  ) {
    let reserved = min(reserved(by: id), quantity)
    gate.inherit(instrument, side, quantity, reserved: reserved)
    held[id]?.quantity -= reserved
  }

  /// What may still fill of this order, by its lifecycle; zero ends its reservation.
  package mutating func update(_ id: OrderID, open: Quantity) {
    guard var reservation = held[id] else { return }
    if open < reservation.quantity {
      gate.release(reservation.instrument, reservation.side, reservation.quantity - open)
    } else if open > reservation.quantity {
      gate.reserve(reservation.instrument, reservation.side, open - reservation.quantity)
    }
    reservation.quantity = open
    held[id] = open > .zero ? reservation : nil
  }
}
