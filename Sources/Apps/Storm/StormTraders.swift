internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import Translation
internal import Transport
internal import Units
internal import Venue
internal import Wire

/// People and programs who trade, ask and change limits: what they do when is drawn from the seed, each
/// act by itself, so that leaving one out changes no other.
///
/// `@unchecked Sendable`: touched on the scheduler's thread only.
final class StormTraders: @unchecked Sendable {
  let world: StormWorld
  let audit: StormAudit
  let loop: EventLoop
  let gate: TradingV1.TradingServiceClient
  let oms: OmsV1.OrderServiceClient
  let risk: RiskV1.RiskServiceClient
  let portfolio: PortfolioV1.PortfolioServiceClient
  private(set) var tickets: [StormTicket] = []
  private var isKilling = false
  private var idle = 0
  private var acts = 0
  /// Replacements are among what they do.
  var mayReplace = true
  /// Symbols whose limits are being set.
  private var limiting: Set<String> = []

  init(_ world: StormWorld, _ audit: StormAudit) {
    self.world = world
    self.audit = audit
    loop = world.trader.loop
    func channel(_ name: String) -> any Channel {
      world.trader.channel(to: name, as: Identity(service: "storm"))
    }
    gate = .init(channel: channel("trading-gateway"))
    oms = .init(channel: channel("oms"))
    risk = .init(channel: channel("risk-manager"))
    portfolio = .init(channel: channel("portfolio-manager"))
  }

  var orders: Int { tickets.count }

  // MARK: The stream of acts

  /// Acts until the moment, at the settings' rate.
  func trade(until end: Uptime) async {
    let gap = Int64(2_000_000_000 / max(1, world.settings.ordersPerSecond))
    while loop.uptime < end, world.violation == nil {
      acts += 1
      var random = SeededRandom(seed: world.settings.seed &* 0x2545_f491_4f6c_dd1d &+ UInt64(acts))
      await loop.sleep(for: .nanoseconds(random.below(Int(gap))))
      guard loop.uptime < end else { return }
      if world.settings.actsLeftOut.contains(acts) { continue }
      let (act, drawn) = (acts, random)
      loop.spawn { [self] in await perform(act, drawn) }
    }
  }

  private func perform(_ act: Int, _ drawn: SeededRandom) async {
    var random = drawn
    switch random.below(1_000) {
    case 0..<660: await submit(act, &random)
    case 660..<830: await cancel(&random)
    case 830..<890 where mayReplace: await replace(&random)
    case 890..<920: await repeatOrder(&random, isOther: false)
    case 920..<940: await repeatOrder(&random, isOther: true)
    case 940..<980: await check(act, &random)
    case 980..<986: await changeLimits(&random)
    case 986..<987: await cancelAll()
    case 987..<988: await kill(&random)
    case 988..<989 where world.settings.isPrompt: await kill(&random)
    case 989..<997 where mayReplace: await burst(act, &random)
    default: await submit(act, &random)
    }
  }

  private func patience(_ limit: Duration) -> CallOptions {
    CallOptions(deadline: loop.uptime + limit)
  }

  // MARK: Orders

  private func draw(_ act: Int, _ random: inout SeededRandom) -> StormTicket? {
    let venue = world.venues[random.below(world.venues.count)]
    let instrument = venue.instruments[random.below(venue.instruments.count)]
    guard let touch = venue.touch(instrument.id) else { return nil }
    let side: Side = random.below(2) == 0 ? .buy : .sell
    let kind = random.below(100)
    let (type, timeInForce): (OrderType, TimeInForce) =
      switch kind {
      case 0..<14: (.market, .ioc)
      case 14..<24: (.limit, .ioc)
      case 24..<30: (.limit, .fok)
      case 30..<42: (.limit, .postOnly)
      default: (.limit, .gtc)
      }
    // From through the touch to well behind it.
    let mid = (touch.bid.price.raw + touch.ask.price.raw) / 2
    let distance = mid / 4_000 * Int64(random.below(9) - 2)
    let offset = timeInForce == .postOnly ? max(mid / 4_000, distance) : distance
    let tick = instrument.tickSize.raw
    let price = (mid - side.sign * offset) / tick * tick
    let lot = instrument.lotSize.raw
    let unit = 100_000_000 / lot
    // A hundredth to a half of a coin, now and then some.
    let hundredths = random.below(20) == 0 ? 50 + random.below(250) : 1 + random.below(50)
    let size = Int64(hundredths) * unit / 100 * lot * Self.scale(instrument.symbol)
    return StormTicket(
      act: act, clientID: "t\(act)", venue: venue, instrument: instrument, side: side, type: type,
      timeInForce: timeInForce, price: type == .market ? nil : Price(price),
      quantity: Quantity(size))
  }

  /// Coins of a symbol that make an order worth a trade.
  static func scale(_ symbol: String) -> Int64 { symbol == "BTCUSDT" ? 1 : 4 }

  private func submit(_ act: Int, _ random: inout SeededRandom) async {
    guard let ticket = draw(act, &random) else { return }
    tickets.append(ticket)
    let isRash = random.below(12) == 0
    await send(ticket, tries: 1 + random.below(3), &random)
    // While it is on its way.
    if isRash { await cancel(ticket) }
  }

  /// Sends an order, and again after a silence, as a client does.
  private func send(
    _ ticket: StormTicket, tries: Int, _ random: inout SeededRandom, quantity: Quantity? = nil
  ) async {
    for attempt in 1...tries {
      // A client that has lost count asks for something else under the same name.
      var quantity = quantity
      if attempt > 1, random.below(5) == 0 { quantity = Quantity(ticket.quantity.raw * 40) }
      do throws(RPCError) {
        world.trace.note("submit \(ticket.description)\(quantity.map { " with \($0)" } ?? "")")
        let answer = try await gate.submitOrder(
          ticket.request(quantity: quantity), patience(.seconds(4)))
        world.trace.note("\(ticket.clientID) is order \(answer.orderId), \(answer.status)")
        audit.acknowledged(answer, ticket, quantity: quantity)
        return
      } catch {
        world.trace.note("\(ticket.clientID): \(error.code.name) \(error.message)")
        guard Self.isOpen(error) else {
          ticket.wasRefused = true
          return
        }
      }
      if attempt < tries { await loop.sleep(for: random.duration(.milliseconds(50), .seconds(1))) }
    }
  }

  /// The order may have been taken.
  private static func isOpen(_ error: RPCError) -> Bool {
    switch error.code {
    case .unavailable, .deadlineExceeded, .cancelled, .internalError, .unknown, .aborted: true
    default: false
    }
  }

  private func pick(_ random: inout SeededRandom, recent: Int) -> StormTicket? {
    guard !tickets.isEmpty else { return nil }
    let count = min(tickets.count, recent)
    return tickets[tickets.count - 1 - random.below(count)]
  }

  private func cancel(_ random: inout SeededRandom) async {
    guard let ticket = pick(&random, recent: 200) else { return }
    await cancel(ticket)
  }

  private func cancel(_ ticket: StormTicket) async {
    guard let id = ticket.orderID else { return }
    var request = OmsV1.CancelOrderRequest()
    request.orderId = id
    request.reason = "trader"
    ticket.wasCancelled = true
    do throws(RPCError) {
      world.trace.note("cancel \(ticket.clientID)")
      _ = try await oms.cancelOrder(request, patience(.seconds(4)))
      ticket.cancelled = ticket.cancelled ?? loop.uptime
    } catch {
      world.trace.note("cancel \(ticket.clientID): \(error.code.name) \(error.message)")
    }
  }

  private func replace(_ random: inout SeededRandom) async {
    guard let ticket = pick(&random, recent: 100) else { return }
    await replace(ticket, &random)
  }

  private func replace(_ ticket: StormTicket, _ random: inout SeededRandom) async {
    guard let id = ticket.orderID, let price = ticket.price else { return }
    var request = TradingV1.ReplaceOrderRequest()
    request.orderId = id
    let way = random.below(3)
    let tick = ticket.instrument.tickSize.raw
    let moved = Price(price.raw + Int64(random.below(41) - 20) * tick)
    if way != 1 { request.price = ticket.instrument.wire(moved) }
    let lot = ticket.instrument.lotSize.raw
    let size = Quantity(
      max(lot, ticket.quantity.raw * Int64(50 + random.below(100)) / 100 / lot * lot))
    if way != 0 { request.quantity = ticket.instrument.wire(size) }
    do throws(RPCError) {
      world.trace.note("replace \(ticket.clientID)")
      ticket.replaced = loop.uptime
      _ = try await gate.replaceOrder(request, patience(.seconds(4)))
    } catch {
      return world.trace.note("replace \(ticket.clientID): \(error.code.name) \(error.message)")
    }
    // Some think better of it.
    guard random.below(3) == 0 else { return }
    await loop.sleep(for: .milliseconds(Int64(random.below(2_000))))
    await cancel(ticket)
  }

  /// Everything at once: several orders of a symbol become larger, and others come beside them, each of
  /// which fits alone.
  private func burst(_ act: Int, _ random: inout SeededRandom) async {
    guard let first = pick(&random, recent: 40) else { return }
    let symbol = first.instrument.symbol
    let others = tickets.suffix(120).filter {
      $0.instrument.symbol == symbol && $0.side == first.side && $0.timeInForce == .gtc
        && $0.orderID != nil
    }
    for ticket in others.suffix(8) { loop.spawn { [self] in await enlarge(ticket) } }
    let sent = rush(act, "b", symbol, first.side, &random)
    await loop.sleep(for: .milliseconds(400))
    // Room that cancels are about to make is wanted at once.
    for ticket in sent { loop.spawn { [self] in await cancel(ticket) } }
    await loop.sleep(for: .milliseconds(Int64(1 + random.below(200))))
    _ = rush(act, "c", symbol, first.side, &random)
  }

  private func rush(
    _ act: Int, _ mark: String, _ symbol: String, _ side: Side, _ random: inout SeededRandom
  ) -> [StormTicket] {
    var sent: [StormTicket] = []
    for part in 0..<4 {
      guard let drawn = draw(act, &random) else { continue }
      let venue = drawn.venue
      guard let instrument = venue.instruments.first(where: { $0.symbol == symbol }),
        let touch = venue.touch(instrument.id)
      else { continue }
      let price = side == .buy ? touch.bid.price : touch.ask.price
      let ticket = StormTicket(
        act: act, clientID: "t\(act)\(mark)\(part)", venue: venue, instrument: instrument,
        side: side, type: .limit, timeInForce: .gtc, price: price,
        quantity: Quantity(200_000_000 * Self.scale(symbol)))
      tickets.append(ticket)
      sent.append(ticket)
      let forked = random.fork()
      loop.spawn { [self] in
        var own = forked
        await send(ticket, tries: 1, &own)
      }
    }
    return sent
  }

  private func enlarge(_ ticket: StormTicket) async {
    guard let id = ticket.orderID else { return }
    var request = TradingV1.ReplaceOrderRequest()
    request.orderId = id
    request.quantity = ticket.instrument.wire(
      Quantity(ticket.quantity.raw * 2 + 100_000_000 * Self.scale(ticket.instrument.symbol)))
    do throws(RPCError) {
      world.trace.note("enlarge \(ticket.clientID)")
      ticket.replaced = loop.uptime
      _ = try await gate.replaceOrder(request, patience(.seconds(4)))
    } catch {
      world.trace.note("enlarge \(ticket.clientID): \(error.code.name) \(error.message)")
    }
  }

  /// Orders that rest far from the market and are cancelled, so that they are told of and do nothing.
  func tradeNothing(_ count: Int) async {
    for number in 0..<count {
      let venue = world.venues[number % world.venues.count]
      guard let instrument = venue.instruments.first, let touch = venue.touch(instrument.id) else {
        continue
      }
      idle += 1
      let tick = instrument.tickSize.raw
      let ticket = StormTicket(
        act: 0, clientID: "n\(idle)", venue: venue, instrument: instrument, side: .buy,
        type: .limit, timeInForce: .gtc, price: Price(touch.bid.price.raw * 9 / 10 / tick * tick),
        quantity: Quantity(1_000_000))
      var request = OmsV1.CancelOrderRequest()
      do throws(RPCError) {
        let order = try await gate.submitOrder(ticket.request(), patience(.seconds(4)))
        request.orderId = order.orderId
        _ = try await oms.cancelOrder(request, patience(.seconds(4)))
      } catch {
        world.trace.note("\(ticket.clientID): \(error.code.name) \(error.message)")
      }
    }
  }

  /// The same name again: with the same terms it is the same order, with others it is refused.
  private func repeatOrder(_ random: inout SeededRandom, isOther: Bool) async {
    guard let ticket = pick(&random, recent: isOther ? 20 : 60) else { return }
    var quantity: Quantity?
    if isOther { quantity = Quantity(ticket.quantity.raw * 40) }
    await send(ticket, tries: 1, &random, quantity: quantity)
  }

  private func check(_ act: Int, _ random: inout SeededRandom) async {
    guard var request = draw(act, &random)?.request() else { return }
    // Asking about an order that is on its way changes nothing about it.
    if random.below(3) == 0, let other = pick(&random, recent: 10) { request = other.request() }
    do throws(RPCError) {
      _ = try await gate.checkOrder(request, patience(.seconds(4)))
    } catch {
      world.trace.note("check: \(error.code.name)")
    }
  }

  // MARK: Limits and the kill switch

  private func changeLimits(_ random: inout SeededRandom) async {
    let symbol = ["BTCUSDT", "ETHUSDT", "SOLUSDT"][random.below(3)]
    let lots = [4, 6, 8, 12][random.below(4)]
    await setLimits(symbol, position: lots, size: 1 + random.below(3))
  }

  /// In coins that make an order worth a trade; until they are in force.
  func setLimits(_ symbol: String, position: Int, size: Int) async {
    let one = Int64(100_000_000) * Self.scale(symbol)
    await setLimits(
      symbol, position: Quantity(Int64(position) * one), size: Quantity(Int64(size) * one))
  }

  func setLimits(_ symbol: String, position: Quantity, size: Quantity) async {
    var request = RiskV1.SetSymbolLimitsRequest()
    request.symbol = symbol
    request.maxOrderSize = TypeV1.Decimal(Decimal(units: size.raw, scale: 8))
    request.maxLong = TypeV1.Decimal(Decimal(units: position.raw, scale: 8))
    request.maxShort = request.maxLong
    // One wish at a time: whichever came last would count, and nobody could say which that was.
    while !limiting.insert(symbol).inserted { await loop.sleep(for: .milliseconds(100)) }
    defer { limiting.remove(symbol) }
    audit.limits(symbol, position: position, size: size)
    for _ in 0..<200 where world.violation == nil {
      do throws(RPCError) {
        world.trace.note("limits of \(symbol): \(position.raw), \(size.raw) an order")
        _ = try await risk.setSymbolLimits(request, patience(.seconds(4)))
        audit.limitsAnswered(symbol)
        return
      } catch {
        world.trace.note("limits: \(error.code.name) \(error.message)")
        await loop.sleep(for: .milliseconds(500))
      }
    }
  }

  func setDailyLoss(_ amount: Int64) async {
    var request = RiskV1.SetAccountLimitsRequest()
    request.maxDailyLoss = TypeV1.Decimal(Decimal(units: amount, scale: 0))
    for _ in 0..<200 where world.violation == nil {
      do throws(RPCError) {
        world.trace.note("daily loss: \(amount)")
        _ = try await risk.setAccountLimits(request, patience(.seconds(4)))
        return
      } catch {
        await loop.sleep(for: .milliseconds(500))
      }
    }
  }

  func provoke() {
    for (number, symbol) in ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BTCUSDT"].enumerated() {
      loop.schedule(after: .milliseconds(Int64(1 + 300 * number))) { [self] in
        loop.spawn { [self] in await setLimits(symbol, position: 5 + number, size: 2) }
      }
    }
  }

  private func cancelAll() async {
    do throws(RPCError) {
      world.trace.note("cancel all")
      audit.cancelledAll()
      let known = tickets.suffix(400).filter { $0.orderID != nil }
      _ = try await oms.cancelAllOrders(.init(), patience(.seconds(10)))
      for ticket in known {
        ticket.wasCancelled = true
        ticket.cancelled = ticket.cancelled ?? loop.uptime
      }
    } catch {
      world.trace.note("cancel all: \(error.code.name)")
    }
  }

  private func kill(_ random: inout SeededRandom) async {
    guard !isKilling else { return }
    isKilling = true
    defer { isKilling = false }
    var request = RiskV1.EngageKillSwitchRequest()
    request.reason = "storm"
    var hasAnswered = false
    for _ in 0..<100 where world.violation == nil {
      do throws(RPCError) {
        world.trace.note("kill switch: engage")
        audit.cancelledAll()
        _ = try await risk.engageKillSwitch(request, patience(.seconds(4)))
        hasAnswered = true
        break
      } catch {
        world.trace.note("kill switch: \(error.code.name)")
        await loop.sleep(for: .milliseconds(300))
      }
    }
    // The risk-manager may be away for longer than anybody asks.
    guard hasAnswered else { return await release() }
    world.trace.note("kill switch has answered")
    audit.killAnswered()
    await loop.sleep(for: random.duration(.seconds(25), .seconds(40)))
    let left = audit.openAtVenues
    if world.settings.isPrompt, !left.isEmpty {
      world.broke(.cleared, "still open at venues: \(left.prefix(8))")
    }
    await release()
  }

  func release() async {
    audit.killReleasing()
    var request = RiskV1.ReleaseKillSwitchRequest()
    request.reason = "storm"
    for _ in 0..<200 where world.violation == nil {
      do throws(RPCError) {
        world.trace.note("kill switch: release")
        _ = try await risk.releaseKillSwitch(request, patience(.seconds(4)))
        return
      } catch {
        await loop.sleep(for: .milliseconds(300))
      }
    }
  }
}
