import Chrono
import Orders
import Portfolio
import Testing
import Units
import Venue

@testable import Risk

@Suite struct `A risk gate that takes in more instruments` {
  private func other(_ index: Int32 = 1, quantityScale: UInt8 = 5) -> Instrument {
    var other = instrument(index, symbol: "ETHUSDT")
    other.quantityScale = quantityScale
    return other
  }

  @Test func `goes on with its positions, reservations, references, profit and rates`() throws {
    let before = try gate(limits { $0.account.ordersPerSecond = 3 })
    before.setReference(btc, Price(100_00), now: at(1_000))
    before.roll(to: Instant(milliseconds: 1_700_000_000_000))
    #expect(before.admit(buy(2_000), now: at(1_000)).isAccepted)
    before.fill(btc, .buy, Quantity(1_000), at: Price(100_00), reserved: Quantity(1_000))
    before.charge(decimal("0.25"))
    let exposure = before.exposure(of: btc)

    let after = try before.grown(to: [instrument(), other()])

    #expect(after.instrumentCount == 2 && after.moneyScale == 7)
    #expect(after.exposure(of: btc) == exposure)
    #expect(after.exposure(of: InstrumentID(1))?.position == .zero)
    #expect(before.dayProfit.scale == 5 && after.dayProfit.scale == 7)
    #expect(after.dayProfit.units == before.dayProfit.units * 100)
    // One order of three has been admitted in this second.
    after.setReference(InstrumentID(1), Price(100_00), now: at(1_100))
    let second = after.admit(buy(1_000, at: 100_00, 1), now: at(1_100))
    let third = after.admit(buy(1_000), now: at(1_100))
    let fourth = after.admit(buy(1_000), now: at(1_100))
    #expect(second.isAccepted && third.isAccepted)
    guard case .refused(let refusal) = fourth else {
      Issue.record("\(fourth)")
      return
    }
    #expect(refusal.reason == .rateLimit)
  }

  @Test func `keeps a halt, a taint and a closed instrument`() throws {
    let before = try gate()
    before.setReference(btc, Price(100_00), now: at(1))
    before.setReference(btc, nil, now: at(2))
    let tainted = try before.grown(to: [instrument(), other()])
    #expect(!tainted.admit(buy(1_000), now: at(3)).isAccepted)
    before.setReference(btc, Price(100_00), now: at(4))
    before.setTrading(btc, isOpen: false)
    let closed = try before.grown(to: [instrument(), other()])
    guard case .refused(let refusal) = closed.admit(buy(1_000), now: at(5)) else {
      Issue.record("a closed instrument takes an order")
      return
    }
    #expect(refusal.reason == .marketClosed)
    before.tradingState = .halted
    #expect(try before.grown(to: [instrument(), other()]).tradingState == .halted)
  }

  @Test func `a profit that does not fit the finer money halts it`() throws {
    let before = try gate()
    before.state.pointee.profit = .max / 2
    let after = try before.grown(to: [instrument(), other()])
    #expect(after.tradingState == .halted && after.state.pointee.profit == .max)
  }

  @Test func `reservations move to the grown gate and are given back there`() throws {
    let before = try gate()
    before.setReference(btc, Price(100_00), now: at(1))
    var reservations = OrderReservations(before, ordersMax: 4)
    #expect(reservations.admit(OrderID(1), buy(2_000), now: at(1)).isAccepted)
    let after = try before.grown(to: [instrument(), other()])
    reservations.move(to: after)
    reservations.update(OrderID(1), open: .zero)
    #expect(after.exposure(of: btc)?.openBuy == .zero && reservations.count == 0)
  }
}
