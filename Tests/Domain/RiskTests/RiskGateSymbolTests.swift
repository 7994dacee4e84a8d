import Chrono
import Portfolio
import Risk
import Testing
import Units
import Venue

@Suite struct `A symbol at several venues` {
  private static let venues = ["binance", "kraken", "okx"]

  private func gate(_ limits: RiskLimits = .standard) throws -> RiskGate {
    try RiskTests.gate(
      limits,
      Self.venues.enumerated().map { instrument(Int32($0.offset), venue: $0.element) })
  }

  @Test func `RSK-35 nine at each of three venues against ten: the first passes alone`() throws {
    let gate = try gate()
    #expect(gate.admit(buy(9_000, at: 100_00, 0), now: at(0)).isAccepted)

    for venue in Int32(1)...2 {
      let refusal = try #require(gate.admit(buy(9_000, at: 100_00, venue), now: at(0)).refusal)
      #expect(refusal.rule == .position)
      #expect(gate.text(of: refusal) == "position 18 would exceed limit 10")
    }
    #expect(gate.admit(buy(1_000, at: 100_00, 2), now: at(0)).isAccepted)
  }

  @Test func `RSK-05 long here and short there net, in position, state and exposure`() throws {
    let gate = try gate(limits { $0.account.maxGrossExposure = decimal("1000") })
    for venue in Int32(0)...2 {
      gate.setReference(InstrumentID(venue), Price(100_00 + Int64(venue)), now: at(0))
    }
    gate.fill(InstrumentID(0), .buy, Quantity(8_000), at: Price(100_00), reserved: .zero)
    gate.fill(InstrumentID(1), .sell, Quantity(5_000), at: Price(100_00), reserved: .zero)
    // 3 at the highest mark.
    #expect(gate.grossExposure.normalized.description == "300.06")

    gate.tradingState = .reducing
    #expect(gate.admit(buy(1, at: 100_00, 1), now: at(0)).refusal?.rule == .tradingState)
    #expect(gate.admit(sell(3_000, at: 100_00, 2), now: at(0)).isAccepted)
    #expect(gate.admit(sell(1, at: 100_00, 0), now: at(0)).refusal?.rule == .tradingState)
  }

  @Test func `RSK-35 venues that count in other steps are one position all the same`() throws {
    let gate = try RiskTests.gate(
      .standard,
      [
        instrument(0), instrument(1, venue: "kraken", priceScale: 1, quantityScale: 8),
        instrument(2, venue: "okx", priceScale: 4, quantityScale: 0),
      ])
    #expect(gate.admit(buy(4_000, at: 100_00, 0), now: at(0)).isAccepted)
    #expect(gate.admit(buy(399_999_999, at: 100_0, 1), now: at(0)).isAccepted)
    #expect(gate.admit(buy(2, at: 100_0000, 2), now: at(0)).isAccepted)

    let refusal = try #require(gate.admit(buy(2, at: 100_0, 1), now: at(0)).refusal)
    #expect(gate.text(of: refusal) == "position 10.00000001 would exceed limit 10")
    #expect(gate.admit(buy(1, at: 100_0, 1), now: at(0)).isAccepted)
    #expect(gate.release(InstrumentID(2), .buy, Quantity(2)))
    #expect(gate.admit(buy(2_000, at: 100_00, 0), now: at(0)).isAccepted)
  }

  @Test func `RSK-35 a venue that comes late joins the position that there is`() throws {
    let before = try RiskTests.gate(.standard, [instrument(0)])
    #expect(before.admit(buy(4_000), now: at(0)).isAccepted)
    before.fill(btc, .buy, Quantity(2_000), at: Price(100_00), reserved: Quantity(2_000))

    let after = try before.grown(
      to: [instrument(0), instrument(1, venue: "kraken", quantityScale: 5)])

    #expect(after.admit(buy(600_001, at: 100_00, 1), now: at(0)).refusal?.rule == .position)
    #expect(after.admit(buy(600_000, at: 100_00, 1), now: at(0)).isAccepted)
  }

  @Test func `RSK-33 extremes at markets of far scales neither trap nor pass`() throws {
    let gate = try RiskTests.gate(
      limits {
        $0.account.maxGrossExposure = Decimal(units: .max, scale: 0)
        $0.standard.maxOrderSize = Decimal(units: .max, scale: 0)
        $0.standard.maxLongPosition = Decimal(units: .max, scale: 0)
        $0.standard.maxShortPosition = Decimal(units: .max, scale: 0)
        $0.standard.maxNotional = Decimal(units: .max, scale: 0)
      },
      [instrument(0, quantityScale: 0), instrument(1, venue: "kraken", quantityScale: 18)])
    for quantity in [Int64.max, 1 << 62, 1] {
      for market in Int32(0)...1 {
        gate.setReference(InstrumentID(market), Price(.max), now: at(0))
        _ = gate.admit(buy(quantity, at: .max, market), now: at(0))
        gate.reserve(InstrumentID(market), .buy, Quantity(quantity))
        gate.fill(
          InstrumentID(market), .sell, Quantity(quantity), at: Price(1),
          reserved: Quantity(quantity))
        gate.inherit(InstrumentID(market), .buy, Quantity(quantity), reserved: .zero)
      }
    }
    #expect(gate.tradingState == .halted)
    #expect(!gate.admit(buy(1), now: at(0)).isAccepted)
  }
}
