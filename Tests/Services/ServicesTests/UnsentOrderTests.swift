import Calls
import Chrono
import Contracts
import Loop
import ServiceKit
import TestKit
import Testing

/// Orders that the execution-router does not take in charge.
@Suite struct `Orders on the way to the router` {
  private func withOMS(
    _ settings: [String], _ body: @escaping @Sendable (OMSDesk) async throws -> Void
  ) async throws {
    try await withLoop { loop in
      let desk = try await OMSDesk.open(ServiceWorld(loop), ScriptedRouter(), settings)
      do { try await body(desk) } catch {
        await desk.running.drop()
        throw error
      }
      await desk.running.drop()
    }
  }

  @Test func `OMS-12 so many wait, and more are refused with both numbers`() async throws {
    try await withOMS(["oms.unsent_orders_max=3"]) { desk in
      desk.world.cut("execution-router", .requests)
      for number in 1...3 { _ = try await desk.place("c-\(number)") }

      let refused = await refusal { try await desk.place("c-4") }

      #expect(refused.code == .resourceExhausted)
      #expect(refused.reason == "OVERLOADED")
      #expect(refused.numbers["actual"] == "3" && refused.numbers["limit"] == "3")
      // Another venue has its own count; what is known is answered.
      #expect(try await desk.accept(OMSDesk.order("c-1")).duplicate)
      desk.world.cut("execution-router", nil)
      #expect(await eventually { desk.router.routed.count == 3 })
      #expect(
        await eventually {
          do { return try await !desk.place("c-5").isEmpty } catch { return false }
        })
    }
  }

  @Test func `OMS-12 when the first waits too long, more are refused with its age`() async throws {
    try await withOMS([]) { desk in
      desk.world.cut("execution-router", .requests)
      _ = try await desk.place("c-1")
      desk.world.time.advance(by: .seconds(3))

      let refused = await refusal { try await desk.place("c-2") }

      #expect(refused.reason == "VENUE_UNAVAILABLE")
      #expect(refused.message.contains("unsent_age_max"))
    }
  }

  @Test func `EX-19 a market order that could not be sent in its time never leaves`() async throws {
    try await withOMS([]) { desk in
      desk.world.cut("execution-router", .requests)
      let market = try await desk.place("c-1", at: nil)
      let resting = try await desk.place("c-2")
      desk.world.time.advance(by: .seconds(6))
      desk.router.refusesLate = true
      desk.world.cut("execution-router", nil)

      let rejected = try await desk.order(market) { $0.status == .rejected }
      #expect(rejected.rejectReason == .venueUnavailable)
      #expect(rejected.rejectText.contains("too late"))
      #expect(await eventually { desk.router.routed.contains { $0.orderId == resting } })
      #expect(!desk.router.routed.contains { $0.orderId == market })
    }
  }

  @Test func `OMS-05 an order that is cancelled before the router has it never leaves`()
    async throws
  {
    try await withOMS([]) { desk in
      desk.world.cut("execution-router", .requests)
      let id = try await desk.place("c-1")
      #expect(try await desk.cancel(id).status == .pendingCancel)
      desk.router.knowsNothing = true
      desk.world.cut("execution-router", nil)

      _ = try await desk.order(id) { $0.status == .cancelled }
      #expect(desk.router.routed.isEmpty)
    }
  }

  @Test(arguments: [false, true])
  func `REC-05 a router that is another one is told again what it may lack, and sends none of it`(
    isOtherLog: Bool
  ) async throws {
    try await withOMS([]) { desk in
      desk.router.instance = 7
      desk.router.cut()
      var asked = 0
      while desk.router.named.last != 7 {
        asked += 1
        let id = try await desk.place("p-\(asked)")
        let isRouted = await eventually { desk.router.routed.contains { $0.orderId == id } }
        #expect(isRouted)
        desk.router.report(.rejected, id)
        _ = try await desk.order(id) { $0.status == .rejected }
      }
      let before = desk.router.routed.count
      let working = try await desk.place("c-1")
      desk.router.report(.acknowledged, working)
      _ = try await desk.order(working) { $0.status == .new }
      let silent = try await desk.place("c-2")
      let ended = try await desk.place("c-3")
      desk.router.report(.rejected, ended)
      _ = try await desk.order(ended) { $0.status == .rejected }
      let haveAll = await eventually { desk.router.routed.count == before + 3 }
      #expect(haveAll)

      desk.router.instance = 9
      if isOtherLog { desk.router.replaceLog() }
      desk.router.cut()

      let expected = isOtherLog ? [working, silent] : [silent]
      let isTold = await eventually { desk.router.routed.count == before + 3 + expected.count }
      #expect(isTold)
      #expect(Set(desk.router.routed.suffix(expected.count).map(\.orderId)) == Set(expected))
      // Nobody's: it is asked about, and not sent.
      #expect(desk.router.named.suffix(expected.count).allSatisfy { $0 == 2 })
    }
  }

  @Test func `OMS-06 a cancel of ten thousand is one walk and few syncs`() async throws {
    try await withOMS(["oms.unsent_orders_max=100000"]) { desk in
      let count = 2_000
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<count { group.addTask { _ = try await desk.place("c-\(number)") } }
        try await group.waitForAll()
      }
      #expect(await eventually { desk.router.routed.count == count })

      let requested = try await desk.oms.cancelAllOrders(.init()).requested

      #expect(requested == UInt32(count))
      #expect(await eventually { desk.router.cancelled.count == count })
      #expect(try await desk.oms.cancelAllOrders(.init()).requested == 0)
    }
  }
}
