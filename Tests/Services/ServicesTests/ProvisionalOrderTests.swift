import Calls
import Contracts
import Risk
import ServiceKit
import Telemetry
import TestKit
import Testing
import Wire

@testable import TradingGatewayService

/// Orders that the gate has admitted and whose fate at the oms is open.
@Suite struct `Orders on their way to the oms` {
  @Test func `IDM-01 other terms under the id of an order in doubt are refused`() async throws {
    try await withFloor { floor in
      floor.oms.world.cut("oms", .requests)
      let lost = await refusal { try await floor.submit("1", clientOrderID: "c-1") }
      #expect(lost.code == .unavailable)

      for quantity in ["50", "2", "0.5"] {
        let error = await refusal { try await floor.submit(quantity, clientOrderID: "c-1") }
        #expect(error.code == .alreadyExists && error.reason == "DUPLICATE_ORDER")
      }
      let side = await refusal { try await floor.submit("1", .sell, clientOrderID: "c-1") }
      #expect(side.reason == "DUPLICATE_ORDER")
      let price = await refusal { try await floor.submit("1", at: "49999", clientOrderID: "c-1") }
      #expect(price.reason == "DUPLICATE_ORDER")

      floor.oms.world.cut("oms", nil)
      let before = try await floor.oms.all()
      #expect(before.isEmpty)
      let order = try await floor.submit("1", clientOrderID: "c-1")
      #expect(order.status == .pendingNew)
      let after = try await floor.oms.all()
      #expect(after.count == 1)
    }
  }

  @Test func `KS-01 an order in doubt is not sent again past the kill switch`() async throws {
    try await withFloor { floor in
      floor.oms.world.cut("oms", .requests)
      _ = await refusal { try await floor.submit("1", clientOrderID: "c-1") }
      floor.risk.say(ScriptedRisk.standard(isKilled: true))
      #expect(await floor.comesToRefuse(.killSwitch))
      floor.oms.world.cut("oms", nil)

      let error = await refusal { try await floor.submit("1", clientOrderID: "c-1") }

      #expect(error.reason == "KILL_SWITCH")
      let all = try await floor.oms.all()
      #expect(all.isEmpty)
    }
  }

  @Test func `RSK-03 an order in doubt is not sent again past a limit that has changed`()
    async throws
  {
    try await withFloor { floor in
      floor.oms.world.cut("oms", .requests)
      _ = await refusal { try await floor.submit("6", clientOrderID: "c-1") }
      floor.risk.say(ScriptedRisk.standard(maxOrderSize: "5"))
      #expect(await floor.comesToRefuse(.maxSize, "5.5"))
      floor.oms.world.cut("oms", nil)

      let error = await refusal { try await floor.submit("6", clientOrderID: "c-1") }

      #expect(error.reason == "MAX_SIZE")
      let all = try await floor.oms.all()
      #expect(all.isEmpty)
    }
  }

  @Test func `IDM-01 an order that the oms has is answered to a retry, whatever the gate says`()
    async throws
  {
    try await withFloor { floor in
      floor.oms.world.cut("oms", .answers)
      let lost = await refusal { try await floor.submit("6", clientOrderID: "c-1") }
      #expect(lost.code == .unavailable)
      floor.oms.world.cut("oms", nil)
      floor.risk.say(ScriptedRisk.standard(isKilled: true))
      #expect(await floor.comesToRefuse(.killSwitch))

      let order = try await floor.submit("6", clientOrderID: "c-1")

      #expect(order.clientOrderId == "c-1")
      let other = await refusal { try await floor.submit("50", clientOrderID: "c-1") }
      #expect(other.reason == "DUPLICATE_ORDER")
      let all = try await floor.oms.all()
      #expect(all.count == 1)
    }
  }

  @Test func `RSK-04 an order in doubt stays reserved, and goes when the oms has denied it`()
    async throws
  {
    let settings = ["trading-gateway.resolve_after=100ms"]
    try await withFloor(settings: settings) { floor in
      floor.oms.world.cut("oms", .requests)
      _ = await refusal { try await floor.submit("6", clientOrderID: "c-1") }
      let held = try await floor.check("4.00001")
      #expect(held.reason == .positionLimit)
      _ = await refusal { try await floor.submit("6", clientOrderID: "c-1") }
      let fits = try await floor.admits("4")
      #expect(fits)

      floor.oms.world.cut("oms", nil)

      #expect(await eventually { (try? await floor.admits("10")) == true })
    }
  }

  @Test func `RSK-04 an order in doubt under the name of another goes when the oms says so`()
    async throws
  {
    try await withFloor { floor in
      let first = try await floor.submit("1", clientOrderID: "c-1")
      floor.oms.router.report(.rejected, first.orderId)
      // The gate has heard of its end, and knows the name no more.
      #expect(await eventually { (try? await floor.admits("10")) == true })
      floor.oms.world.cut("oms", .requests)
      let lost = await refusal { try await floor.submit("6", clientOrderID: "c-1") }
      #expect(lost.code == .unavailable)
      let held = try await floor.check("4.00001")
      #expect(held.reason == .positionLimit)

      floor.oms.world.cut("oms", nil)

      #expect(await eventually { (try? await floor.admits("10")) == true })
      let all = try await floor.oms.all()
      #expect(all.count == 1)
    }
  }

  @Test func `RSK-04 a check changes nothing, also under the id of an order in doubt`()
    async throws
  {
    try await withFloor(ScriptedRisk.standard(perSecond: 2, perMinute: 3)) { floor in
      floor.oms.world.cut("oms", .requests)
      _ = await refusal { try await floor.submit("6", clientOrderID: "c-1") }
      floor.oms.world.cut("oms", nil)
      for _ in 1...50 {
        var request = TradingFloor.request("1", clientOrderID: "c-1")
        #expect(try await floor.trading.checkOrder(request).admitted == true)
        request.quantity = wire("50")
        #expect(try await floor.trading.checkOrder(request).reason == .maxSize)
      }
      let metrics = floor.running.context.metrics.exposition()
      #expect(metrics.contains("trading_gateway_orders_admitted_total 1\n"))
      #expect(metrics.contains("trading_gateway_orders_refused_by_order_size_total 0\n"))

      #expect(try await floor.check("4.00001").reason == .positionLimit)
      try await floor.submit("1")
      let order = try await floor.submit("6", clientOrderID: "c-1")
      #expect(order.clientOrderId == "c-1")
    }
  }

  @Test func `RSK-02 a gate that hears no fills admits nothing`() async throws {
    try await withFloor(settings: ["trading-gateway.orders_silence_max=100ms"]) { floor in
      try await floor.submit("1")
      await floor.oms.running.drop()

      #expect(
        await eventually { await refusal { try await floor.submit("1") }.reason == "RECONCILING" })
    }
  }

  @Test func `KS-01 whoever stops a strategy again has its orders cancelled again`() async throws {
    try await withFloor { floor in
      let id = "mm-btcusdt"
      _ = try await floor.trading.stopStrategy(.with { $0.strategyId = id })
      // One that was on its way when the strategy was stopped.
      var late = OMSDesk.order("late")
      late.strategyId = id
      var request = OmsV1.AcceptOrderRequest()
      request.order = late
      let order = try await floor.oms.oms.acceptOrder(request).order
      let lateID = try #require(order?.orderId)
      floor.oms.router.report(.acknowledged, lateID)
      _ = try await floor.oms.order(lateID) { $0.status == .new }

      _ = try await floor.trading.stopStrategy(.with { $0.strategyId = id })

      _ = try await floor.oms.order(lateID) { $0.status == .pendingCancel }
    }
  }

  @Test func `OMS-05 a replacement that changes nothing is not asked for`() async throws {
    try await withFloor { floor in
      let order = try await floor.submit("2")
      floor.oms.router.report(.acknowledged, order.orderId)
      _ = try await floor.oms.order(order.orderId) { $0.status == .new }
      var request = TradingV1.ReplaceOrderRequest()
      request.orderId = order.orderId
      request.quantity = wire("2")
      request.price = wire("50000.00")

      let answer = try await floor.trading.replaceOrder(request)

      #expect(answer.status == .new && answer.version == 2)
      #expect(floor.oms.router.replaced.isEmpty)
    }
  }

  @Test func `RSK-07 a market order below the least notional of its venue is refused`()
    async throws
  {
    try await withFloor { floor in
      let known = try await floor.admits("0.001", at: nil)
      #expect(known)
      floor.books.say(bid: "49", ask: "50")
      let refused = await eventually {
        do {
          _ = try await floor.check("0.001", at: nil)
          return false
        } catch {
          return (error as? RPCError)?.reason == "MIN_NOTIONAL"
        }
      }
      #expect(refused)
      let error = await refusal { try await floor.submit("0.001", at: nil) }
      #expect(error.numbers["actual"] == "0.05")
    }
  }

  @Test func `IDM-01 a retry is answered although a market order would be too small now`()
    async throws
  {
    try await withFloor { floor in
      let first = try await floor.submit("0.001", at: nil, clientOrderID: "c-1")
      floor.books.say(bid: "49", ask: "50")
      let refused = await eventually {
        do {
          _ = try await floor.check("0.001", at: nil)
          return false
        } catch {
          return (error as? RPCError)?.reason == "MIN_NOTIONAL"
        }
      }
      #expect(refused)

      let again = try await floor.submit("0.001", at: nil, clientOrderID: "c-1")

      #expect(again.orderId == first.orderId)
    }
  }

  @Test func `EX-10 what the venue does not take is refused before it is accepted`() async throws {
    var plain = bitcoin()
    plain.orderTypes = [.market, .limit]
    plain.timesInForce = [.gtc, .ioc]
    try await withFloor(market: ScriptedMarket([plain])) { floor in
      for (time, name) in [(TypeV1.TimeInForce.fok, "FOK"), (.postOnly, "POST_ONLY")] {
        var request = TradingFloor.request("1")
        request.timeInForce = time
        let asked = request
        let error = await refusal { try await floor.trading.submitOrder(asked) }
        #expect(error.reason == "VENUE_POLICY")
        #expect(error.message.contains("time in force \(name)"))
        #expect(error.message.hasSuffix("it takes GTC, IOC"))
      }
      let all = try await floor.oms.all()
      #expect(all.isEmpty)
    }
  }

  @Test func `RSK-02 more orders than the venue takes are refused with its number`() async throws {
    var slow = bitcoin()
    var limit = MarketV1.OrderLimit()
    (limit.name, limit.ordersMax, limit.windowMs, limit.perInstrument) = ("ORDERS", 3, 60_000, true)
    slow.orderLimits = [limit]
    try await withFloor(market: ScriptedMarket([slow])) { floor in
      for _ in 1...3 { try await floor.submit("0.01") }

      let error = await refusal { try await floor.submit("0.01") }

      #expect(error.code == .resourceExhausted && error.reason == "RATE_LIMIT")
      #expect(error.numbers["limit"] == "3" && error.numbers["rule"] == "ORDERS")
      #expect(error.message.hasPrefix("binance takes 3 orders"))
      let checked = try await floor.check("0.01")
      #expect(checked.reason == .rateLimit && checked.limit == "3")
      floor.risk.say(ScriptedRisk.standard(isKilled: true))
      #expect(await floor.comesToRefuse(.killSwitch))
    }
  }

  @Test func `RSK-02 a venue that takes nothing now is known before an order is accepted for it`()
    async throws
  {
    let market = ScriptedMarket()
    try await withFloor(market: market) { floor in
      let before = try await floor.oms.all().count
      market.closes(for: .seconds(60))
      #expect(await floor.comesToRefuse(.rateLimit))

      let error = await refusal { try await floor.submit("0.01") }

      #expect(error.code == .resourceExhausted && error.reason == "RATE_LIMIT")
      #expect(error.message.hasPrefix("binance takes no orders for another "))
      #expect(error.message.hasSuffix("the venue has told us to stop"))
      let checked = try await floor.check("0.01")
      #expect(checked.reason == .rateLimit && checked.text.hasPrefix("binance takes no orders"))
      let after = try await floor.oms.all().count
      #expect(after - before <= 1)
      market.closes(for: nil)
      let isOpen = await eventually { (try? await floor.admits("0.01")) == true }
      #expect(isOpen)
    }
  }

  @Test(arguments: [("4.99", "1", "MIN_NOTIONAL"), ("50000", "0.00009", "MIN_SIZE")])
  func `RSK-07 a replacement that the venue would refuse for its size leaves the order alone`(
    price: String, quantity: String, reason: String
  ) async throws {
    try await withFloor { floor in
      let order = try await floor.submit("2")
      floor.oms.router.report(.acknowledged, order.orderId)
      _ = try await floor.oms.order(order.orderId) { $0.status == .new }
      var request = TradingV1.ReplaceOrderRequest()
      request.orderId = order.orderId
      request.price = wire(price)
      request.quantity = wire(quantity)
      let asked = request

      let error = await refusal { try await floor.trading.replaceOrder(asked) }

      #expect(error.reason == reason)
      #expect(floor.oms.router.replaced.isEmpty)
    }
  }

  @Test func `RSK-02 a market-connector that hangs refuses orders, and readiness says so`()
    async throws
  {
    try await withFloor(settings: ["trading-gateway.market_silence_max=1500ms"]) { floor in
      _ = try await floor.submit("0.01")
      floor.oms.world.cut("market-connector", .answers)
      let isRefused = await eventually {
        do { _ = try await floor.check("0.01") } catch let error as RPCError {
          return error.reason == "VENUE_UNAVAILABLE" && error.code == .resourceExhausted
            && error.message.contains("market_silence_max")
        } catch { return false }
        return false
      }
      #expect(isRefused)
      let isTold = await eventually {
        floor.running.context.readiness.missing.contains { $0.name == "venues" }
      }
      #expect(isTold)
      floor.risk.say(ScriptedRisk.standard(isKilled: true))
      #expect(await floor.comesToRefuse(.killSwitch))
      floor.risk.say(ScriptedRisk.standard(change: 101))
      floor.oms.world.cut("market-connector", nil)
      let isOpen = await eventually { (try? await floor.admits("0.01")) == true }
      #expect(isOpen)
      let isReady = await eventually { floor.running.context.readiness.isReady }
      #expect(isReady)
    }
  }

  @Test func `GWY-07 a symbol as long as a book is refused at once, without being repeated`()
    async throws
  {
    try await withFloor { floor in
      var request = TradingFloor.request("1")
      request.symbol = String(repeating: "B", count: 100_000)
      let asked = request

      let error = await refusal { try await floor.trading.checkOrder(asked) }

      #expect(error.code == .invalidArgument && error.message.utf8.count < 200)
    }
  }
}
