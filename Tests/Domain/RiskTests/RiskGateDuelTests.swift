import Chrono
import Portfolio
import Risk
import Seeds
import Testing
import Units
import Venue

/// The gate written for a reader and not for a clock: lists of everything, summed each time anew, in
/// prices of 2 places and quantities of 4 whatever a market counts in.
private struct NaiveGate {
  let limits: RiskLimits
  var isKilled = false
  var isLossReached = false
  var admitted: [UInt64] = []
  var orders: [Int32: [(side: Side, quantity: Int128)]] = [:]
  var fills: [Int32: [(side: Side, quantity: Int128, price: Int128)]] = [:]
  var marks: [Int32: Int128] = [:]

  /// Markets 0 and 2 are one symbol at two venues; 2 counts prices in tenths and quantities finer.
  static func symbol(_ index: Int32) -> Int32 { index == 2 ? 0 : index }
  static func price(_ raw: Int64, _ index: Int32) -> Int128 { Int128(raw) * (index == 2 ? 10 : 1) }
  static func quantity(_ raw: Int64, _ index: Int32) -> Int128 {
    Int128(raw) * (index == 2 ? 1 : 10)
  }

  private func lots(_ decimal: Decimal) -> Int128 { Int128(decimal.units(atScale: 4)!) }
  private func money(_ decimal: Decimal) -> Int128 { Int128(decimal.units(atScale: 6)!) }

  private func markets(of index: Int32) -> [Int32] {
    marks.keys.filter { Self.symbol($0) == Self.symbol(index) }
  }

  func position(_ index: Int32) -> Int128 {
    markets(of: index).reduce(0) { sum, market in
      (fills[market] ?? []).reduce(sum) { $0 + Int128($1.side.sign) * $1.quantity }
    }
  }

  func open(_ index: Int32, _ side: Side) -> Int128 {
    markets(of: index).reduce(0) { sum, market in
      (orders[market] ?? []).filter { $0.side == side }.reduce(sum) { $0 + $1.quantity }
    }
  }

  var profit: Int128 {
    fills.reduce(0) { sum, entry in
      entry.value.reduce(sum) {
        $0 + Int128($1.side.sign) * $1.quantity * (marks[entry.key]! - $1.price)
      }
    }
  }

  mutating func watch() {
    if profit <= -money(limits.account.maxDailyLoss) { isLossReached = true }
  }

  var gross: Int128 {
    Set(marks.keys.map(Self.symbol)).reduce(0) { sum, symbol in
      let long = abs(position(symbol) + open(symbol, .buy))
      let short = abs(position(symbol) - open(symbol, .sell))
      let mark = markets(of: symbol).map { marks[$0]! }.max()!
      return sum + max(long, short) * mark
    }
  }

  private func reduces(_ order: GateOrder, _ quantity: Int128) -> Bool {
    let index = order.instrument.index
    let position = position(index)
    let mayTrade = max(0, order.side == .buy ? -position : position)
    return open(index, order.side) + quantity <= mayTrade
  }

  func refusal(of order: GateOrder, now: UInt64) -> RiskRule? {
    let index = order.instrument.index
    let quantity = Self.quantity(order.quantity.raw, index)
    if isKilled { return .killSwitch }
    guard let mark = marks[index], quantity > 0 else { return .wellFormed }
    if admitted.filter({ $0 + 1_000_000_000 > now }).count >= limits.account.ordersPerSecond {
      return .ordersPerSecond
    }
    if admitted.filter({ $0 + 60_000_000_000 > now }).count >= limits.account.ordersPerMinute {
      return .ordersPerMinute
    }
    if quantity > lots(limits.standard.maxOrderSize) { return .orderSize }
    let worst =
      order.side == .buy
      ? position(index) + open(index, .buy) + quantity
      : -position(index) + open(index, .sell) + quantity
    let most =
      order.side == .buy ? limits.standard.maxLongPosition : limits.standard.maxShortPosition
    if worst > lots(most) { return .position }
    let asked = Self.price(order.price.raw, index)
    let price: Int128 =
      order.type == .market ? mark : (order.side == .sell ? max(mark, asked) : asked)
    if price * quantity > money(limits.standard.maxNotional) { return .notional }
    if isLossReached, !reduces(order, quantity) { return .dailyLoss }
    var after = self
    after.orders[index, default: []].append((order.side, quantity))
    if after.gross > gross, after.gross > money(limits.account.maxGrossExposure!) {
      return .grossExposure
    }
    let distance = abs(asked - mark)
    if order.type == .limit, distance * 100 > mark * 5 { return .priceBand }
    return nil
  }
}

@Suite struct `Risk gate against its naive twin` {
  private static let limits = RiskTests.limits {
    $0.account = AccountLimits(
      ordersPerSecond: 5, ordersPerMinute: 60, maxDailyLoss: decimal("30"),
      maxGrossExposure: decimal("900"), referenceAgeMax: .seconds(1_000_000))
    $0.standard = SymbolLimits(
      lot: decimal("0.5"), maxOrderSize: decimal("8"), maxLongPosition: decimal("12"),
      maxShortPosition: decimal("9"), maxNotional: decimal("380"), priceBand: decimal("0.05"))
  }

  /// The twin counts whole units, so its lots are halved.
  private static let twinLimits: RiskLimits = {
    var twin = limits
    twin.standard.maxOrderSize = decimal("4")
    twin.standard.maxLongPosition = decimal("6")
    twin.standard.maxShortPosition = decimal("4.5")
    return twin
  }()

  private static let markets = [
    instrument(0), instrument(1, symbol: "ETHUSDT"),
    instrument(2, venue: "kraken", priceScale: 1, quantityScale: 4),
  ]

  @Test(arguments: UInt64(1)...20)
  func `RSK-01 RSK-04 RSK-05 RSK-07 RSK-08 RSK-35 both decide alike on every order`(seed: UInt64)
    throws
  {
    var random = SeededGenerator(seed: seed)
    let gate = try gate(Self.limits, Self.markets)
    var twin = NaiveGate(limits: Self.twinLimits)
    for index in Int32(0)...2 {
      gate.setReference(InstrumentID(index), Price(index == 2 ? 100_0 : 100_00), now: at(0))
      twin.marks[index] = 100_00
    }
    var now: UInt64 = 0
    var rules: Set<RiskRule?> = []
    for step in 0..<600 {
      now += UInt64.random(in: 0...1_200_000_000, using: &random)
      switch Int.random(in: 0..<10, using: &random) {
      case 0: move(gate, &twin, &random, now)
      case 1: finishSome(gate, &twin, &random)
      case 2 where Int.random(in: 0..<8, using: &random) == 0:
        twin.isKilled.toggle()
        if twin.isKilled { gate.killSwitch.engage() } else { gate.killSwitch.release() }
      default:
        let order = randomOrder(&random)
        let expected = twin.refusal(of: order, now: now)
        let verdict = gate.admit(order, now: Uptime(nanoseconds: now))
        #expect(verdict.refusal?.rule == expected, "seed \(seed) step \(step) \(order)")
        rules.insert(expected)
        if expected == nil {
          twin.admitted.append(now)
          twin.orders[order.instrument.index, default: []]
            .append(
              (order.side, NaiveGate.quantity(order.quantity.raw, order.instrument.index)))
        }
      }
      #expect(gate.isLossLatched == twin.isLossReached, "seed \(seed) step \(step)")
      #expect(Int128(gate.dayProfit.units) == twin.profit, "seed \(seed) step \(step)")
      #expect(Int128(gate.grossExposure.units) == twin.gross, "seed \(seed) step \(step)")
    }
    #expect(rules.count >= 6, "seed \(seed) met only \(rules)")
  }

  private func randomOrder(_ random: inout SeededGenerator) -> GateOrder {
    let side: Side = Bool.random(using: &random) ? .buy : .sell
    let isMarket = Int.random(in: 0..<4, using: &random) == 0
    let index = Int32.random(in: 0...3, using: &random)
    let price = Int64.random(in: 94_00...106_00, using: &random)
    let quantity = Int64.random(in: -100...4_100, using: &random)
    let fine = Int64.random(in: 0...9, using: &random)
    return GateOrder(
      instrument: InstrumentID(index), side: side, type: isMarket ? .market : .limit,
      price: isMarket ? nil : Price(index == 2 ? price / 10 : price),
      quantity: Quantity(index == 2 ? quantity * 10 + fine : quantity))
  }

  private func move(
    _ gate: RiskGate, _ twin: inout NaiveGate, _ random: inout SeededGenerator, _ now: UInt64
  ) {
    let index = Int32.random(in: 0...2, using: &random)
    let price =
      index == 2
      ? Int64.random(in: 97_0...103_0, using: &random)
      : Int64.random(in: 97_00...103_00, using: &random)
    gate.setReference(InstrumentID(index), Price(price), now: Uptime(nanoseconds: now))
    twin.marks[index] = NaiveGate.price(price, index)
    twin.watch()
  }

  /// Fills one open order and cancels another.
  private func finishSome(
    _ gate: RiskGate, _ twin: inout NaiveGate, _ random: inout SeededGenerator
  ) {
    let index = Int32.random(in: 0...2, using: &random)
    let id = InstrumentID(index)
    let unit = NaiveGate.quantity(1, index)
    if let order = twin.orders[index]?.popLast() {
      let price = Int64.random(in: 96_00...104_00, using: &random) / (index == 2 ? 10 : 1)
      let whole = Int64(order.quantity / unit)
      let part = Int64.random(in: 0...whole, using: &random)
      gate.fill(id, order.side, Quantity(part), at: Price(price), reserved: Quantity(part))
      gate.release(id, order.side, Quantity(whole - part))
      if part > 0 {
        twin.fills[index, default: []]
          .append((order.side, Int128(part) * unit, NaiveGate.price(price, index)))
      }
      twin.watch()
    }
    if let order = twin.orders[index]?.popLast() {
      gate.release(id, order.side, Quantity(Int64(order.quantity / unit)))
    }
  }
}
