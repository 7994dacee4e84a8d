import Chrono
import Portfolio
import Risk
import Testing
import Units
import Venue

@Suite struct `Risk gate` {
  @Test func `RSK-01 the 101st order within a second is refused, to the nanosecond`() throws {
    let gate = try gate()
    for index in 0..<100 {
      #expect(gate.admit(buy(1), now: Uptime(nanoseconds: UInt64(index))).isAccepted)
    }

    let refusal = try #require(
      gate.admit(buy(1), now: Uptime(nanoseconds: 999_999_999)).refusal)

    #expect(refusal.rule == .ordersPerSecond)
    #expect(refusal.reason == .rateLimit)
    #expect(gate.text(of: refusal) == "orders in one second 101 would exceed limit 100")
    #expect(gate.admit(buy(1), now: Uptime(nanoseconds: 1_000_000_000)).isAccepted)
    #expect(!gate.admit(buy(1), now: Uptime(nanoseconds: 1_000_000_000)).isAccepted)
    #expect(gate.admit(buy(1), now: Uptime(nanoseconds: 1_000_000_001)).isAccepted)
  }

  @Test func `RSK-01 the 1001st order within a minute is refused`() throws {
    let gate = try gate()
    for index in 0..<1_000 {
      #expect(gate.admit(buy(1), now: at(UInt64(index) * 20)).isAccepted)
    }

    #expect(gate.admit(buy(1), now: at(59_999)).refusal?.rule == .ordersPerMinute)
    #expect(gate.admit(buy(1), now: at(60_000)).isAccepted)
    #expect(gate.admit(buy(1), now: at(60_000)).refusal?.rule == .ordersPerMinute)
    #expect(gate.admit(buy(1), now: at(60_020)).isAccepted)
  }

  @Test func `RSK-01 a refused order does not count for the rate`() throws {
    let gate = try gate()
    for _ in 0..<500 { _ = gate.admit(buy(10_001), now: at(1)) }

    #expect(gate.admit(buy(1), now: at(1)).isAccepted)
  }

  @Test func `RSK-03 ten lots pass and one step more does not`() throws {
    let gate = try gate()

    let refusal = try #require(gate.admit(buy(10_001), now: at(0)).refusal)

    #expect(refusal.reason == .maxSize)
    #expect(gate.text(of: refusal) == "order size 10.001 would exceed limit 10")
    #expect(gate.admit(buy(10_000), now: at(0)).isAccepted)
  }

  @Test func `RSK-04 the worst case counts open orders`() throws {
    let gate = try gate()
    #expect(gate.admit(buy(6_000), now: at(0)).isAccepted)

    let refusal = try #require(gate.admit(buy(4_500), now: at(0)).refusal)

    #expect(gate.text(of: refusal) == "position 10.5 would exceed limit 10")
    #expect(gate.admit(sell(10_000), now: at(0)).isAccepted)
    #expect(
      gate.admit(sell(1), now: at(0)).refusal.map(gate.text)
        == "position -10.001 would exceed limit -10")
  }

  @Test func `RSK-04 a released order makes room, a filled one does not`() throws {
    let gate = try gate()
    #expect(gate.admit(buy(10_000), now: at(0)).isAccepted)
    gate.fill(btc, .buy, Quantity(4_000), at: Price(100_00), reserved: Quantity(4_000))
    #expect(!gate.admit(buy(1), now: at(0)).isAccepted)

    #expect(gate.release(btc, .buy, Quantity(6_000)))

    #expect(gate.admit(buy(6_000), now: at(0)).isAccepted)
    #expect(!gate.admit(buy(1), now: at(0)).isAccepted)
    #expect(gate.exposure(of: btc)?.position == Quantity(4_000))
    #expect(!gate.release(btc, .buy, Quantity(6_001)))
    #expect(gate.exposure(of: btc)?.openBuy == .zero)
  }

  @Test func `a replacement holds the larger of old and new until the venue answers`() throws {
    let gate = try gate()
    #expect(gate.admit(buy(6_000), now: at(0)).isAccepted)

    #expect(gate.replace(buy(10_000), held: Quantity(6_000), now: at(0)).isAccepted)
    #expect(gate.exposure(of: btc)?.openBuy == Quantity(10_000))
    #expect(gate.replace(buy(2_000), held: Quantity(10_000), now: at(0)).isAccepted)
    #expect(gate.exposure(of: btc)?.openBuy == Quantity(10_000))
    #expect(
      gate.replace(buy(10_001), held: Quantity(10_000), now: at(0)).refusal?.rule == .orderSize)
  }

  @Test func `RSK-07 a million passes and a tick more does not`() throws {
    let gate = try gate()

    let refusal = try #require(gate.admit(buy(10_000, at: 100_000_01), now: at(0)).refusal)

    #expect(refusal.reason == .maxNotional)
    #expect(gate.text(of: refusal) == "notional 1000000.1 would exceed limit 1000000")
    #expect(gate.admit(buy(10_000, at: 100_000_00), now: at(0)).isAccepted)
  }

  @Test func `RSK-07 a market order is valued at a fresh reference or refused`() throws {
    let gate = try gate()
    #expect(gate.admit(buy(1, at: nil), now: at(0)).refusal?.reason == .noReferencePrice)

    gate.setReference(btc, Price(100_000_01), now: at(0))
    #expect(gate.admit(buy(10_000, at: nil), now: at(60_000)).refusal?.reason == .maxNotional)
    #expect(gate.admit(buy(9_999, at: nil), now: at(60_000)).isAccepted)
    #expect(gate.admit(buy(1, at: nil), now: at(60_001)).refusal?.reason == .noReferencePrice)
    gate.setReference(btc, nil, now: at(60_001))
    #expect(gate.admit(buy(1, at: nil), now: at(0)).refusal?.reason == .noReferencePrice)
  }

  @Test(arguments: [100_00, nil] as [Int64?])
  func `MD-03 on a tainted book no order passes, and the next reference lifts it`(
    price: Int64?
  ) throws {
    let gate = try gate()
    gate.setReference(btc, Price(100_00), now: at(0))
    #expect(gate.admit(buy(1, at: price), now: at(1)).isAccepted)

    gate.setReference(btc, nil, now: at(2))
    let refusal = try #require(gate.admit(buy(1, at: price), now: at(3)).refusal)
    #expect(refusal.rule == .notional && refusal.reason == .noReferencePrice)
    #expect(
      gate.text(of: refusal)
        == "BTCUSDT has no reference price to value an order: its book is tainted, or too old")
    #expect(gate.admit(sell(1, at: price), now: at(3)).refusal?.reason == .noReferencePrice)

    gate.setReference(btc, Price(100_01), now: at(4))
    #expect(gate.admit(buy(1, at: price), now: at(5)).isAccepted)
  }

  @Test func `RSK-07 a sell far below the market is valued at the market`() throws {
    let gate = try gate()
    gate.setReference(btc, Price(200_000_00), now: at(0))

    #expect(gate.admit(sell(10_000, at: 1), now: at(0)).refusal?.reason == .maxNotional)
    #expect(gate.admit(buy(10_000, at: 1), now: at(0)).isAccepted)
  }

  @Test func `RSK-08 a loss of exactly the limit, realised and unrealised, stops orders`() throws {
    let gate = try gate(limits { $0.account.maxDailyLoss = decimal("1000") })
    gate.fill(btc, .buy, Quantity(10_000), at: Price(200_00), reserved: .zero)
    gate.fill(btc, .sell, Quantity(5_000), at: Price(100_00), reserved: .zero)
    gate.setReference(btc, Price(100_01), now: at(0))
    #expect(gate.dayProfit.description == "-999.95000")
    #expect(gate.admit(sell(1), now: at(0)).isAccepted)

    gate.setReference(btc, Price(100_00), now: at(0))

    let refusal = try #require(gate.admit(buy(1), now: at(0)).refusal)
    #expect(refusal.reason == .dailyLoss)
    #expect(
      gate.text(of: refusal)
        == "profit today -1000 has reached limit -1000: only reducing orders pass")
  }

  @Test func `RSK-08 fees count, and a new UTC day begins at zero`() throws {
    let gate = try gate(limits { $0.account.maxDailyLoss = decimal("1") })
    gate.roll(to: Instant(nanoseconds: 1_700_000_000_000_000_000))
    gate.charge(decimal("0.999999"))
    #expect(gate.dayProfit.description == "-1.00000")
    #expect(gate.admit(buy(1), now: at(0)).refusal?.rule == .dailyLoss)

    gate.roll(to: Instant(nanoseconds: 1_700_006_399_999_999_999))
    #expect(!gate.admit(buy(1), now: at(0)).isAccepted)
    gate.roll(to: Instant(nanoseconds: 1_700_006_400_000_000_000))

    #expect(gate.admit(buy(1), now: at(0)).isAccepted)
  }

  @Test func `RSK-06 gross exposure is limited over symbols, and may always be lessened`() throws {
    let gate = try gate(
      limits { $0.account.maxGrossExposure = decimal("1000") },
      [instrument(0), instrument(1, symbol: "ETHUSDT")])
    gate.setReference(btc, Price(100_00), now: at(0))
    gate.setReference(InstrumentID(1), Price(10_00), now: at(0))
    #expect(gate.admit(buy(9_000, at: 100_00, 0), now: at(0)).isAccepted)
    #expect(gate.admit(sell(10_000, at: 10_00, 1), now: at(0)).isAccepted)
    #expect(gate.grossExposure.description == "1000.00000")

    let refusal = try #require(gate.admit(buy(1), now: at(0)).refusal)
    #expect(gate.text(of: refusal) == "gross exposure 1000.1 would exceed limit 1000")
    #expect(gate.admit(buy(10_000, at: 10_00, 1), now: at(0)).isAccepted)

    gate.setReference(btc, Price(200_00), now: at(0))
    #expect(gate.grossExposure.description == "1900.00000")
    #expect(!gate.admit(buy(1), now: at(0)).isAccepted)
    #expect(gate.admit(sell(9_000), now: at(0)).isAccepted)
  }

  @Test func `RSK-29 reducing passes only what reduces, halted nothing`() throws {
    let gate = try gate()
    gate.fill(btc, .buy, Quantity(2_000), at: Price(100_00), reserved: .zero)
    gate.tradingState = .reducing

    #expect(gate.admit(buy(1), now: at(0)).refusal?.rule == .tradingState)
    #expect(gate.admit(sell(1_500), now: at(0)).isAccepted)
    #expect(gate.admit(sell(501), now: at(0)).refusal?.rule == .tradingState)
    #expect(gate.admit(sell(500), now: at(0)).isAccepted)

    gate.tradingState = .halted
    #expect(gate.admit(sell(1), now: at(0)).refusal?.reason == .killSwitch)
  }

  @Test func `RSK-30 a price off the band is refused, and so is a missing or old reference`() throws
  {
    let gate = try gate(limits { $0.standard.priceBand = decimal("0.05") })
    #expect(gate.admit(buy(1), now: at(0)).refusal?.reason == .noReferencePrice)
    gate.setReference(btc, Price(100_00), now: at(0))

    #expect(gate.admit(buy(1, at: 105_00), now: at(0)).isAccepted)
    #expect(gate.admit(sell(1, at: 95_00), now: at(0)).isAccepted)
    let refusal = try #require(gate.admit(buy(1, at: 105_01), now: at(0)).refusal)
    #expect(refusal.reason == .priceBands)
    #expect(gate.text(of: refusal) == "price 105.01 is more than 0.05 off reference 100")
    #expect(gate.admit(buy(1), now: at(60_001)).refusal?.reason == .noReferencePrice)
  }

  @Test func `the kill switch stops every gate that shares it`() throws {
    let gate = try gate()

    gate.killSwitch.engage()
    #expect(gate.admit(buy(0), now: at(0)).refusal?.rule == .killSwitch)
    gate.killSwitch.release()

    #expect(gate.admit(buy(1), now: at(0)).isAccepted)
  }
}

@Suite struct `Risk gate under pressure` {
  @Test func `RSK-09 the first failing rule in the documented order answers`() throws {
    // Breaks every rule at once; each is then mended in turn and the next one answers.
    let strict = limits {
      $0.account.ordersPerSecond = 0
      $0.account.ordersPerMinute = 0
      $0.account.maxDailyLoss = .zero
      $0.account.maxGrossExposure = .zero
      $0.standard.maxOrderSize = .zero
      $0.standard.maxLongPosition = .zero
      $0.standard.maxNotional = .zero
      $0.standard.priceBand = .zero
    }
    let gate = try gate(strict)
    gate.killSwitch.engage()
    gate.tradingState = .halted
    gate.setReference(btc, Price(50_00), now: at(0))
    var order = buy(0)
    var seen: [RiskRule] = []
    var mended = strict

    let mends: [(RiskRule, () throws -> Void)] = [
      (.killSwitch, { gate.killSwitch.release() }),
      (.wellFormed, { order = buy(1_000) }),
      (.tradingState, { gate.tradingState = .active }),
      (.ordersPerSecond, { mended.account.ordersPerSecond = 1 }),
      (.ordersPerMinute, { mended.account.ordersPerMinute = 1 }),
      (.orderSize, { mended.standard.maxOrderSize = decimal("1") }),
      (.position, { mended.standard.maxLongPosition = decimal("1") }),
      (.notional, { mended.standard.maxNotional = decimal("100") }),
      (.dailyLoss, { mended.account.maxDailyLoss = decimal("1") }),
      (.grossExposure, { mended.account.maxGrossExposure = decimal("100") }),
      (.priceBand, { mended.standard.priceBand = decimal("1") }),
    ]
    for (_, mend) in mends {
      let refusal = try #require(gate.admit(order, now: at(0)).refusal)
      seen.append(refusal.rule)
      try mend()
      try gate.apply(mended)
    }

    #expect(seen == RiskRule.allCases)
    #expect(seen == mends.map(\.0))
    #expect(gate.admit(order, now: at(0)).isAccepted)
  }

  @Test func `RSK-11 admitted and refused are counted by rule`() throws {
    let gate = try gate()
    _ = gate.admit(buy(1), now: at(0))
    _ = gate.admit(buy(10_001), now: at(0))
    _ = gate.admit(buy(10_001), now: at(0))
    _ = gate.admit(buy(0), now: at(0))

    #expect(gate.counters.admittedCount == 1)
    #expect(gate.counters.refusedCount(by: .orderSize) == 2)
    #expect(gate.counters.refusedCount(by: .wellFormed) == 1)
    #expect(gate.counters.refusedPartsPerMillion == 750_000)
  }

  @Test func `RSK-33 no number slips by or traps`() throws {
    let extremes: [Int64] = [.min, .min + 1, -1, 0, 1, 1 << 62, .max - 1, .max]
    let widest = limits {
      $0.account.ordersPerSecond = 1_000_000
      $0.account.ordersPerMinute = 1_000_000
      $0.account.maxGrossExposure = Decimal(units: .max, scale: 0)
      $0.standard.maxOrderSize = Decimal(units: .max, scale: 0)
      $0.standard.maxLongPosition = Decimal(units: .max, scale: 0)
      $0.standard.maxShortPosition = Decimal(units: .max, scale: 0)
      $0.standard.maxNotional = Decimal(units: .max, scale: 0)
      $0.standard.priceBand = decimal("1")
    }
    for limits in [RiskLimits.standard, widest] {
      let gate = try gate(limits)
      for (index, quantity) in extremes.enumerated() {
        for price in extremes {
          for instrument in [Int32.min, -1, 0, 1, .max] {
            let now = Uptime(nanoseconds: index % 2 == 0 ? .max : UInt64(index))
            gate.setReference(btc, Price(price), now: now)
            for order in [
              buy(quantity, at: price, instrument), sell(quantity, at: price, instrument),
            ] {
              let verdict = gate.admit(order, now: now)
              if quantity <= 0 || price <= 0 || instrument != 0 { #expect(!verdict.isAccepted) }
              if let refusal = verdict.refusal { #expect(!gate.text(of: refusal).isEmpty) }
              _ = gate.replace(order, held: Quantity(quantity), now: now)
            }
            _ = gate.admit(buy(quantity, at: nil, instrument), now: now)
          }
          gate.fill(btc, .sell, Quantity(quantity), at: Price(price), reserved: Quantity(quantity))
          gate.reserve(btc, .buy, Quantity(quantity))
          gate.release(btc, .buy, Quantity(quantity))
        }
      }
    }
  }

  @Test func `new limits are in force at the next order, bad ones never`() throws {
    let gate = try gate()
    #expect(gate.admit(buy(8_000), now: at(0)).isAccepted)
    gate.fill(btc, .buy, Quantity(8_000), at: Price(100_00), reserved: Quantity(8_000))

    try gate.apply(
      limits {
        $0.symbols["BTCUSDT"] = .standard; $0.symbols["BTCUSDT"]?.maxLongPosition = decimal("5")
      })

    #expect(gate.admit(buy(1), now: at(0)).refusal?.rule == .position)
    #expect(gate.admit(sell(1_000), now: at(0)).isAccepted)
    let before = gate.limits
    #expect(throws: RiskLimitFault.bandAboveOne(decimal("5"))) {
      try gate.apply(limits { $0.standard.priceBand = decimal("5") })
    }
    #expect(throws: RiskLimitFault.foreignQuote(symbol: "BTCUSDT", quote: "USDT", currency: "EUR"))
    {
      try gate.apply(limits { $0.currency = "EUR" })
    }
    #expect(gate.limits == before)
  }

  @Test func `RSK-01 a raised rate limit remembers what was admitted before`() throws {
    let gate = try gate(
      limits {
        $0.account.ordersPerSecond = 3; $0.account.ordersPerMinute = 4
      })
    for index in 0..<3 { #expect(gate.admit(buy(1), now: at(UInt64(index))).isAccepted) }

    try gate.apply(
      limits {
        $0.account.ordersPerSecond = 100; $0.account.ordersPerMinute = 100
      })

    for _ in 0..<97 { #expect(gate.admit(buy(1), now: at(10)).isAccepted) }
    #expect(!gate.admit(buy(1), now: at(999)).isAccepted)
  }

  @Test func `RSK-32 two accounts are independent`() throws {
    let first = try gate()
    let second = try gate()
    #expect(first.admit(buy(10_000), now: at(0)).isAccepted)
    #expect(second.admit(buy(10_000), now: at(0)).isAccepted)
  }
}
