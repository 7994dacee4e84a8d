import Calls
import Chrono
import Contracts
import Loop
import ServiceKit
import Telemetry
import TestKit
import Testing
import TradingGatewayService
import Wire

/// A trading-gateway between a real oms and scripted limits and prices.
struct TradingFloor: Sendable {
  let oms: OMSDesk
  let risk: ScriptedRisk
  let books: ScriptedBooks
  let running: RunningService<TradingGateway>

  var trading: TradingV1.TradingServiceClient { .init(channel: running.channel) }

  static func open(
    _ loop: EventLoop, _ limits: RiskV1.Limits, _ settings: [String],
    market: ScriptedMarket = ScriptedMarket()
  ) async throws -> TradingFloor {
    let world = try ServiceWorld(loop)
    let (risk, books) = (ScriptedRisk(limits), ScriptedBooks())
    world.serve("risk-manager", risk.methods)
    world.serve("orderbook", books.methods)
    let oms = try await OMSDesk.open(world, market: market)
    let running = try await world.start(
      TradingGateway.self, ["trading-gateway.risk_silence_max=300s"] + settings)
    try #require(await running.ready())
    return TradingFloor(oms: oms, risk: risk, books: books, running: running)
  }

  func close() async {
    await running.end()
    await oms.running.drop()
  }

  static func request(
    _ quantity: String, at price: String? = "50000", _ side: TypeV1.Side = .buy,
    clientOrderID: String = "", venue: String = ""
  ) -> TradingV1.SubmitOrderRequest {
    var request = TradingV1.SubmitOrderRequest()
    request.venue = venue
    request.clientOrderId = clientOrderID
    request.symbol = "BTCUSDT"
    request.side = side
    request.type = price == nil ? .market : .limit
    request.price = price.map { wire($0) }
    request.quantity = wire(quantity)
    return request
  }

  @discardableResult
  func submit(
    _ quantity: String, at price: String? = "50000", _ side: TypeV1.Side = .buy,
    clientOrderID: String = ""
  ) async throws -> OmsV1.Order {
    try await trading.submitOrder(
      Self.request(quantity, at: price, side, clientOrderID: clientOrderID))
  }

  /// Asks the gate without ordering.
  func check(
    _ quantity: String, at price: String? = "50000", _ side: TypeV1.Side = .buy
  ) async throws -> TradingV1.CheckOrderResponse {
    try await trading.checkOrder(Self.request(quantity, at: price, side))
  }

  func admits(
    _ quantity: String, at price: String? = "50000", _ side: TypeV1.Side = .buy
  ) async throws -> Bool {
    try await check(quantity, at: price, side).admitted
  }

  /// Waits until a check is refused for this reason.
  func comesToRefuse(_ reason: TypeV1.RejectReason, _ quantity: String = "0.01") async -> Bool {
    await eventually {
      do { return try await check(quantity).reason == reason } catch { return false }
    }
  }
}

func withFloor(
  _ limits: RiskV1.Limits = ScriptedRisk.standard(), settings: [String] = [],
  market: ScriptedMarket = ScriptedMarket(),
  _ body: @escaping @Sendable (TradingFloor) async throws -> Void
) async throws {
  try await withLoop { loop in
    let floor = try await TradingFloor.open(loop, limits, settings, market: market)
    do { try await body(floor) } catch {
      await floor.close()
      throw error
    }
    await floor.close()
  }
}

@Suite struct `The trading-gateway` {
  @Test func `BUS-02 prices, orders, reports and refusals are each told as what they are`()
    async throws
  {
    try await withFloor { floor in
      try await floor.submit("0.01", clientOrderID: "told-1")
      await #expect(throws: RPCError.self) { try await floor.submit("9999") }
      #expect(
        await eventually {
          let metrics = floor.running.context.metrics.exposition()
          return ["market_update", "order_request", "execution_report", "risk_alert"].allSatisfy {
            let line = "trading_gateway_events_total{kind=\"\($0)\"} "
            return metrics.contains(line) && !metrics.contains(line + "0")
          }
        })
    }
  }

  @Test func `RSK-03 the largest order passes, and one lot more is refused with both numbers`()
    async throws
  {
    try await withFloor { floor in
      #expect(try await floor.admits("10") == true)

      let error = await refusal { try await floor.submit("10.00001") }

      #expect(error.code == .failedPrecondition)
      #expect(error.reason == "MAX_SIZE")
      #expect(error.numbers["actual"] == "10.00001")
      #expect(error.numbers["limit"] == "10")
      let all = try await floor.oms.all()
      #expect(all.isEmpty)
    }
  }

  @Test func `RSK-04 open orders count against the position on their own side`() async throws {
    try await withFloor { floor in
      try await floor.submit("6")

      let error = await refusal { try await floor.submit("4.00001") }

      #expect(error.reason == "POSITION_LIMIT")
      #expect(error.numbers["actual"] == "10.00001")
      #expect(error.numbers["limit"] == "10")
      try await floor.submit("10", .sell)
      try await floor.submit("4")
    }
  }

  @Test func `RSK-04 a position and open orders count together, and an end gives back`()
    async throws
  {
    try await withFloor { floor in
      let first = try await floor.submit("6")
      let second = try await floor.submit("4")
      let router = floor.oms.router
      router.report(.acknowledged, first.orderId)
      router.report(.fill, first.orderId, fill: fill("E1", "6", at: "50000"))
      router.report(.rejected, second.orderId, text: "no money")

      #expect(
        await eventually { (try? await floor.admits("4")) == true },
        "what was rejected is free again")
      let refused = try await floor.check("4.00001")
      #expect(refused.reason == .positionLimit)
      #expect(refused.actual == "10.00001")
      // 6 long: 16 may be sold until 10 short.
      #expect(try await floor.admits("10", .sell) == true)
    }
  }

  @Test func `RSK-07 the largest notional passes, and one tick more is refused`() async throws {
    try await withFloor { floor in
      let fits = try await floor.admits("10", at: "100000")
      #expect(fits)

      let error = await refusal { try await floor.submit("10", at: "100000.01") }

      #expect(error.reason == "MAX_NOTIONAL")
      #expect(error.numbers["actual"] == "1000000.1")
      #expect(error.numbers["limit"] == "1000000")
    }
  }

  @Test func `RSK-08 RSK-35 a day's loss at the limit refuses what adds to it, also afterwards`()
    async throws
  {
    try await withFloor { floor in
      let order = try await floor.submit("5")
      floor.oms.router.report(.acknowledged, order.orderId)
      floor.oms.router.report(.fill, order.orderId, fill: fill("E1", "5", at: "50000"))
      _ = try await floor.oms.order(order.orderId) { $0.status == .filled }

      floor.books.say(bid: "30000", ask: "30000")

      #expect(await floor.comesToRefuse(.dailyLoss))
      let refused = try await floor.check("1")
      #expect(refused.actual == "-100000" && refused.limit == "-100000")
      #expect(refused.text.contains("only reducing orders pass"), "\(refused.text)")
      #expect(try await floor.admits("5", .sell) == true)
      #expect(try await floor.check("5.00001", .sell).reason == .dailyLoss)

      floor.books.say(bid: "40000", ask: "40000")
      let later = try await floor.check("1")
      #expect(later.reason == .dailyLoss)
      var reset = ScriptedRisk.standard()
      reset.dailyLossReset = .with { $0.resetAt = .init(floor.oms.world.time.now) }
      floor.risk.say(reset)
      #expect(await eventually { (try? await floor.admits("1")) == true })
    }
  }

  @Test(arguments: [(2, 1000), (1000, 2)] as [(UInt32, UInt32)])
  func `RSK-01 one order more than a second or a minute may have is refused`(
    perSecond: UInt32, perMinute: UInt32
  ) async throws {
    let limits = ScriptedRisk.standard(perSecond: perSecond, perMinute: perMinute)
    try await withFloor(limits) { floor in
      try await floor.submit("0.01")
      try await floor.submit("0.01")

      let error = await refusal { try await floor.submit("0.01") }

      #expect(error.code == .resourceExhausted)
      #expect(error.reason == "RATE_LIMIT")
      #expect(error.numbers["limit"] == "2")
      let waits = error.details.contains { if case .retryInfo = $0 { true } else { false } }
      #expect(waits)
    }
  }

  @Test func `the kill switch refuses, cancels what is open, and lets go again`() async throws {
    try await withFloor { floor in
      let open = try await floor.submit("1")
      floor.oms.router.report(.acknowledged, open.orderId)
      floor.risk.say(ScriptedRisk.standard(isKilled: true))

      #expect(await floor.comesToRefuse(.killSwitch))
      let error = await refusal { try await floor.submit("0.01") }
      #expect(error.code == .failedPrecondition && error.reason == "KILL_SWITCH")
      #expect(await eventually { floor.oms.router.cancelled == [open.orderId] })

      floor.risk.say(ScriptedRisk.standard(change: 2))
      #expect(await eventually { (try? await floor.admits("0.01")) == true })
    }
  }

  @Test func `RSK-19 silence of the risk-manager refuses new orders, and its word heals it`()
    async throws
  {
    try await withFloor(settings: ["trading-gateway.risk_silence_max=4s"]) { floor in
      var last = RPCError(.ok, "")
      let refused = await eventually {
        do { try await floor.submit("0.001") } catch let error as RPCError {
          last = error
          return true
        } catch { return false }
        return false
      }
      #expect(refused)
      #expect(last.code == .unavailable && last.reason == "RISK_TIMEOUT")

      let heard = await eventually {
        floor.risk.say(ScriptedRisk.standard())
        do { return try await floor.submit("0.001").status == .pendingNew } catch { return false }
      }
      #expect(heard)
    }
  }

  @Test func `IDM-01 the same client order id reserves once and is one order`() async throws {
    try await withFloor { floor in
      let first = try await floor.submit("6", clientOrderID: "c-1")
      let second = try await floor.submit("6", clientOrderID: "c-1")

      #expect(first.orderId == second.orderId)
      #expect(try await floor.admits("4") == true)
      #expect(try await floor.check("4.00001").reason == .positionLimit)
      let other = await refusal { try await floor.submit("5", clientOrderID: "c-1") }
      #expect(other.code == .alreadyExists && other.reason == "DUPLICATE_ORDER")
    }
  }

  @Test func `IDM-01 other terms are refused also when the gate has no room for them`()
    async throws
  {
    try await withFloor { floor in
      let first = try await floor.submit("6", clientOrderID: "c-1")
      floor.oms.router.report(.acknowledged, first.orderId)
      floor.oms.router.report(.fill, first.orderId, fill: fill("E1", "6", at: "50000"))
      _ = try await floor.oms.order(first.orderId) { $0.status == .filled }
      #expect(await floor.comesToRefuse(.positionLimit, "4.00001"))

      #expect(try await floor.submit("6", clientOrderID: "c-1").orderId == first.orderId)
      let other = await refusal { try await floor.submit("7", clientOrderID: "c-1") }
      #expect(other.code == .alreadyExists && other.reason == "DUPLICATE_ORDER")
    }
  }

  @Test func `a market order without a price to judge it by is refused`() async throws {
    try await withFloor { floor in
      let known = try await floor.admits("1", at: nil)
      #expect(known)
      floor.books.say(bid: "49999.99", ask: "50000.01", stale: true)

      #expect(
        await eventually { (try? await floor.check("1", at: nil).reason) == .noReferencePrice })
    }
  }

  @Test func `MD-03 a tainted book refuses every order until it is whole again`() async throws {
    try await withFloor { floor in
      try await floor.submit("0.01")
      floor.books.say(bid: "49999.99", ask: "50000.01", stale: true)
      #expect(await floor.comesToRefuse(.noReferencePrice))
      for side in [TypeV1.Side.buy, .sell] {
        let error = await refusal { try await floor.submit("0.01", side) }
        #expect(error.code == .failedPrecondition && error.reason == "NO_REFERENCE_PRICE")
        #expect(error.message.contains("its book is tainted"))
      }
      #expect(try await floor.oms.all().count == 1)

      floor.books.say(bid: "49999.99", ask: "50000.01")
      #expect(await eventually { (try? await floor.admits("0.01")) == true })
      try await floor.submit("0.01")
    }
  }

  @Test func `GWY-07 wrong input is refused at the edge, naming its field`() async throws {
    try await withFloor { floor in
      func fields(_ change: (inout TradingV1.SubmitOrderRequest) -> Void) async -> [String] {
        var request = TradingFloor.request("1")
        change(&request)
        let asked = request
        return await refusal { try await floor.trading.submitOrder(asked) }.fields
      }
      #expect(await fields { $0.symbol = "LUNA" } == ["symbol"])
      #expect(await fields { $0.side = .init(rawValue: 0) } == ["side"])
      #expect(await fields { $0.type = .init(rawValue: 9) } == ["type"])
      #expect(await fields { $0.price = nil } == ["price"])
      #expect(await fields { $0.price = wire("50000.001") } == ["price"])
      #expect(await fields { $0.price = wire("-1") } == ["price"])
      #expect(await fields { $0.quantity = nil } == ["quantity"])
      #expect(await fields { $0.quantity = wire("-1") } == ["quantity"])
      #expect(await fields { $0.quantity = wire("0") } == ["quantity"])
      #expect(await fields { $0.quantity = wire("1.000001") } == ["quantity"])
      #expect(await fields { $0.clientOrderId = "what?" } == ["clientOrderId"])
      #expect(await fields { $0.timeInForce = .init(rawValue: 99) } == ["timeInForce"])
      let small = await refusal { try await floor.submit("0.00009") }
      #expect(small.reason == "MIN_SIZE" && small.numbers["limit"] == "0.00010")
      let cheap = await refusal { try await floor.submit("0.0001", at: "49999.99") }
      #expect(cheap.reason == "MIN_NOTIONAL")
    }
  }

  @Test(arguments: [true, false])
  func `RSK-04 a replacement in doubt reserves the larger of both until the venue has answered`(
    isReplaced: Bool
  ) async throws {
    try await withFloor { floor in
      let order = try await floor.submit("2")
      floor.oms.router.report(.acknowledged, order.orderId)
      _ = try await floor.oms.order(order.orderId) { $0.status == .new }
      var request = TradingV1.ReplaceOrderRequest()
      request.orderId = order.orderId
      request.quantity = wire("6")
      _ = try await floor.trading.replaceOrder(request)

      // Of the ten allowed six are spoken for, whatever the order's status is.
      floor.oms.router.report(.unknown, order.orderId, text: "silence")
      _ = try await floor.oms.order(order.orderId) { $0.status == .unknown }
      let barrier = try await floor.submit("0.1")
      floor.oms.router.report(.rejected, barrier.orderId)
      #expect(await eventually { (try? await floor.admits("4")) == true })
      #expect(try await floor.check("4.00001").reason == .positionLimit)

      floor.oms.router.report(isReplaced ? .replaced : .replaceRejected, order.orderId)
      if !isReplaced { #expect(await eventually { (try? await floor.admits("8")) == true }) }
      _ = try await floor.oms.order(order.orderId) { $0.status == .new }
      let limit = isReplaced ? "4" : "8"
      #expect(try await floor.admits(limit) == true)
      #expect(try await floor.check(limit + ".00001").reason == .positionLimit)
    }
  }

  @Test func `REC-09 after a restart of the oms open orders still count`() async throws {
    try await withFloor { floor in
      try await floor.submit("6")
      let world = try floor.oms.world.afterPowerLoss()
      let (risk, books) = (ScriptedRisk(), ScriptedBooks())
      world.serve("risk-manager", risk.methods)
      world.serve("orderbook", books.methods)
      let oms = try await OMSDesk.open(world)
      let running = try await world.start(
        TradingGateway.self, ["trading-gateway.risk_silence_max=300s"])
      try #require(await running.ready())
      let after = TradingFloor(oms: oms, risk: risk, books: books, running: running)

      #expect(try await after.admits("4") == true)
      #expect(try await after.check("4.00001").reason == .positionLimit)
      await after.close()
    }
  }
}
