import Chrono
import Orders
import Risk
import Testing
import Units
import Venue

@Suite struct `Order reservations` {
  @Test func `a fill moves reservation into position, an end gives the rest back`() throws {
    let gate = try gate()
    var orders = OrderReservations(gate, ordersMax: 8)
    #expect(orders.admit(OrderID(1), buy(5_000), now: at(0)).isAccepted)
    #expect(orders.admit(OrderID(2), buy(5_000), now: at(0)).isAccepted)

    orders.fill(OrderID(1), btc, .buy, Quantity(2_000), at: Price(100_00))
    orders.update(OrderID(1), open: Quantity(3_000))
    #expect(gate.exposure(of: btc)?.openBuy == Quantity(8_000))
    orders.update(OrderID(1), open: .zero)
    orders.update(OrderID(1), open: .zero)

    #expect(gate.exposure(of: btc)?.openBuy == Quantity(5_000))
    #expect(gate.exposure(of: btc)?.position == Quantity(2_000))
    #expect(orders.count == 1)
  }

  @Test func `OMS-14 a late fill takes nothing from another order`() throws {
    let gate = try gate()
    var orders = OrderReservations(gate, ordersMax: 8)
    _ = orders.admit(OrderID(1), buy(5_000), now: at(0))
    _ = orders.admit(OrderID(2), buy(5_000), now: at(0))
    orders.update(OrderID(1), open: .zero)

    orders.fill(OrderID(1), btc, .buy, Quantity(1_000), at: Price(100_00))

    #expect(gate.exposure(of: btc)?.openBuy == Quantity(5_000))
    #expect(gate.exposure(of: btc)?.position == Quantity(1_000))
  }

  @Test func `a replacement settles on what the venue says`() throws {
    let gate = try gate()
    var orders = OrderReservations(gate, ordersMax: 8)
    _ = orders.admit(OrderID(1), buy(5_000), now: at(0))

    #expect(orders.replace(OrderID(1), buy(3_000), now: at(0)).isAccepted)
    #expect(orders.reserved(by: OrderID(1)) == Quantity(5_000))
    orders.update(OrderID(1), open: Quantity(3_000))

    #expect(gate.exposure(of: btc)?.openBuy == Quantity(3_000))
    #expect(orders.replace(OrderID(1), buy(10_001), now: at(0)).refusal?.rule == .orderSize)
    #expect(orders.reserved(by: OrderID(1)) == Quantity(3_000))
  }
}
