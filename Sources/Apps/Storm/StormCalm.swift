internal import Calls
internal import Chrono
internal import Contracts
internal import Execution
internal import Journal
internal import Loop
internal import Orders
internal import ServiceKit
internal import Translation
internal import Units
internal import Venue
internal import Wire

/// What must agree once nothing is under way: asked of the services as anybody would ask.
struct StormCalm {
  let world: StormWorld
  let audit: StormAudit
  let traders: StormTraders

  private var loop: EventLoop { traders.loop }

  private static let startLimit = Duration.seconds(240)
  private static let endLimit = Duration.seconds(400)

  /// Stops everything, waits for the end of every order, and compares.
  func hold() async {
    world.trace.note("calm")
    await waitForAll()
    await traders.release()
    guard world.violation == nil else { return }
    await end()
    guard world.violation == nil, let orders = await listOrders(),
      let executions = await listExecutions()
    else { return }
    compare(orders, executions)
    await comparePositions()
    await StormReservations(world: world, audit: audit, traders: traders).compare()
    await checkForNothing()
    await valueTheSame()
  }

  func waitForAll() async {
    await wait(Self.startLimit, .alive, { "not everything runs: \(world.missing)" }) {
      world.missing.isEmpty
    }
  }

  /// The gate starts again while the market stands still, and knows the day's profit as before.
  private func valueTheSame() async {
    // A clock that has jumped puts fills of the same moment into different days, and under finer terms
    // marks have more digits.
    guard world.violation == nil, world.settings.faults.isDisjoint(with: [.clock, .terms]) else {
      return
    }
    for venue in world.venues { venue.isStill = true }
    defer { for venue in world.venues { venue.isStill = false } }
    await loop.sleep(for: .seconds(4))
    let (day, before) = (self.day, profit)
    world.kill("trading-gateway", .process, restart: .milliseconds(200))
    await waitForAll()
    await loop.sleep(for: .seconds(8))
    guard world.violation == nil, day == self.day else { return }
    let after = profit
    if before != after {
      world.broke(
        .valued,
        "the day's profit was \(before ?? "-") before the gate's start and is "
          + "\(after ?? "-") after it")
    }
  }

  private var profit: String? { world.figure("trading_gateway_day_profit", of: "trading-gateway") }

  private var day: Int64 {
    let now = StormSettings.start.nanoseconds + Int64(loop.uptime.nanoseconds)
    return now / 86_400_000_000_000
  }

  /// More checks than an account may have orders in a second take none of it.
  private func checkForNothing() async {
    guard world.violation == nil, let venue = world.venues.first,
      let instrument = venue.instruments.first, let touch = venue.touch(instrument.id)
    else { return }
    let ticket = StormTicket(
      act: 0, clientID: "free", venue: venue, instrument: instrument, side: .buy, type: .limit,
      timeInForce: .gtc, price: touch.bid.price, quantity: Quantity(1_000_000))
    for _ in 0..<130 {
      do throws(RPCError) {
        let answer = try await traders.gate.checkOrder(ticket.request(), patience)
        if answer.reason == .rateLimit {
          return world.broke(.free, "checks alone are refused: \(answer.text)")
        }
      } catch {
        return
      }
    }
  }

  /// Until it holds; a rule is broken when it does not in time.
  private func wait(
    _ limit: Duration, _ rule: StormRule, _ text: () -> String, _ holds: () async -> Bool
  ) async {
    let deadline = loop.uptime + limit
    while world.violation == nil {
      if await holds() { return }
      guard loop.uptime < deadline else { return world.broke(rule, text()) }
      await loop.sleep(for: .milliseconds(500))
    }
  }

  // MARK: The end of every order

  private func end() async {
    var left: [OmsV1.Order] = []
    await wait(
      Self.endLimit, .ended,
      {
        "open in the oms: \(left.map { "\($0.clientOrderId) \($0.orderId) \($0.status)" }); "
          + "at venues: \(audit.openAtVenues)"
      }
    ) {
      do throws(RPCError) {
        _ = try await traders.oms.cancelAllOrders(.init(), patience)
        left = try await openOrders()
        return left.isEmpty && audit.openAtVenues.isEmpty
      } catch {
        world.trace.note("calm: \(error.code.name) \(error.message)")
        return false
      }
    }
    // Reports on their way, the record's batches, the last word of streams.
    await loop.sleep(for: .seconds(15))
    await wait(
      .seconds(60), .conserved,
      { "the record stands at \(world.record.recorded)" }
    ) {
      do throws(RPCError) {
        let sequence = try await traders.oms.getTradingState(.init(), patience).sequence
        return world.record.recorded >= sequence
      } catch {
        return false
      }
    }
  }

  private var patience: CallOptions { CallOptions(deadline: loop.uptime + .seconds(20)) }

  private func openOrders() async throws(RPCError) -> [OmsV1.Order] {
    var request = OmsV1.ListOrdersRequest()
    request.openOnly = true
    request.pageSize = 100
    return try await traders.oms.listOrders(request, patience).orders
  }

  /// What the oms has open, nobody wants gone or otherwise, is open at its venue.
  func compareOpen() async {
    guard world.violation == nil, let orders = await listOrders() else { return }
    let open = Set(
      audit.openAtVenues.compactMap { ChildID(parsing: $0)?.parent.description })
    let working: Set<TypeV1.OrderStatus> = [.new, .partiallyFilled]
    for order in orders.values where working.contains(order.status) && !open.contains(order.orderId)
    {
      return world.broke(
        .kept,
        "\(order.clientOrderId) \(order.orderId) is \(order.status.name) and not at \(order.venue)")
    }
  }

  private func listOrders() async -> [String: OmsV1.Order]? {
    var found: [String: OmsV1.Order] = [:]
    var request = OmsV1.ListOrdersRequest()
    request.pageSize = 1_000
    do throws(RPCError) {
      repeat {
        let page = try await traders.oms.listOrders(request, patience)
        for order in page.orders { found[order.orderId] = order }
        request.pageToken = page.nextPageToken
      } while !request.pageToken.isEmpty
      return found
    } catch {
      world.broke(.alive, "the oms lists no orders in the calm: \(error.message)")
      return nil
    }
  }

  private func listExecutions() async -> [OmsV1.Execution]? {
    var found: [OmsV1.Execution] = []
    var request = OmsV1.ListExecutionsRequest()
    request.pageSize = 1_000
    do throws(RPCError) {
      repeat {
        let page = try await traders.oms.listExecutions(request, patience)
        found += page.executions
        request.pageToken = page.nextPageToken
      } while !request.pageToken.isEmpty
      return found
    } catch {
      world.broke(.alive, "the oms lists no executions in the calm: \(error.message)")
      return nil
    }
  }

  // MARK: Comparisons

  private func compare(_ orders: [String: OmsV1.Order], _ executions: [OmsV1.Execution]) {
    for ticket in traders.tickets {
      guard let id = ticket.orderID else { continue }
      guard let order = orders[id] else {
        return world.broke(.acknowledged, "\(ticket.clientID), order \(id), is not in the oms")
      }
      guard order.clientOrderId == ticket.clientID, order.symbol == ticket.instrument.symbol,
        order.venue == ticket.venue.name, order.side == TypeV1.Side(ticket.side)
      else { return world.broke(.acknowledged, "order \(id) is not what \(ticket.clientID) was") }
    }
    var venues: [String: Int64] = [:]
    audit.filled(byParent: &venues)
    for (id, order) in orders.sorted(by: { $0.key < $1.key }) {
      let there = venues.removeValue(forKey: id) ?? 0
      let here = units(order.filledQuantity)
      guard here == there else {
        return world.broke(
          .conserved,
          "order \(id) (\(order.clientOrderId)) filled \(there) at \(order.venue), and \(here) in "
            + "the oms, where it is \(order.status)")
      }
      if here > units(order.quantity) {
        return world.broke(.once, "order \(id) filled \(here) of \(units(order.quantity))")
      }
    }
    for (id, filled) in venues.sorted(by: { $0.key < $1.key }) where filled != 0 {
      return world.broke(.conserved, "\(filled) of order \(id), which the oms does not have")
    }
    compareExecutions(executions)
  }

  private func compareExecutions(_ executions: [OmsV1.Execution]) {
    var told: Set<String> = []
    for execution in executions {
      let key =
        "\(execution.venue) \(execution.symbol) \(execution.executionId) \(execution.side) "
        + "\(units(execution.quantity))"
      guard told.insert(key).inserted else {
        return world.broke(.conserved, "the oms lists execution \(key) twice")
      }
    }
    var count = 0
    for venue in world.venues {
      for trade in venue.trades {
        count += 1
        let symbol = venue.instruments[Int(trade.instrument.index)].symbol
        let key =
          "\(venue.name) \(symbol) \(trade.fill.executionID) \(TypeV1.Side(trade.side)) "
          + "\(trade.fill.quantity.raw)"
        guard told.contains(key) else {
          return world.broke(.conserved, "the oms does not list execution \(key)")
        }
      }
    }
    guard told.count == count else {
      return world.broke(.conserved, "\(told.count) executions in the oms, \(count) at the venues")
    }
    guard world.record.executions.count == count else {
      return world.broke(
        .conserved, "\(world.record.executions.count) executions in the record, \(count) at venues")
    }
  }

  /// At the exchanges' scale of eight places.
  private func units(_ wire: TypeV1.Decimal?) -> Int64 {
    guard let wire, wire.scale <= 18 else { return 0 }
    return Decimal(units: wire.units, scale: UInt8(wire.scale)).units(atScale: 8) ?? .min
  }

  private func comparePositions() async {
    guard world.violation == nil else { return }
    let known = await positions()
    for venue in world.venues {
      for instrument in venue.instruments {
        let name = "\(venue.name) \(instrument.symbol)"
        var net = Int64(0)
        var feesInBase = Int64(0)
        for trade in venue.trades where trade.instrument == instrument.id {
          net += trade.side == .buy ? trade.fill.quantity.raw : 0 - trade.fill.quantity.raw
          if trade.fill.feeAsset == instrument.base {
            feesInBase += trade.fill.fee.units(atScale: 8) ?? 0
          }
        }
        let told = known[name] ?? 0
        guard told == net || told == net - feesInBase else {
          return world.broke(
            .conserved,
            "the position of \(name) is \(told), and \(net) at the venue "
              + "(fees \(feesInBase))")
        }
      }
    }
  }

  private func positions() async -> [String: Int64] {
    do throws(RPCError) {
      let told = try await traders.portfolio.listPositions(.init(), patience).positions
      return Dictionary(
        told.map { ("\($0.venue) \($0.symbol)", units($0.quantity)) }, uniquingKeysWith: +)
    } catch {
      world.broke(.alive, "no positions in the calm: \(error.message)")
      return [:]
    }
  }
}
