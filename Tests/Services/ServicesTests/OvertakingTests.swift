import Calls
import Chrono
import Contracts
import ServiceKit
import TestKit
import Testing

/// What waits for the router and comes after a cancel.
@Suite struct `Requests that overtake each other` {
  /// An order at the venue whose replacement waits for the router.
  private func open(
    _ desk: OMSDesk, _ name: String, quantity: String? = nil
  ) async throws -> String {
    let id = try await desk.place(name)
    desk.router.report(.acknowledged, id)
    _ = try await desk.order(id) { $0.status == .new }
    desk.router.holdsReplacements = true
    var request = OmsV1.AcceptReplaceRequest()
    request.orderId = id
    request.price = wire("49000")
    request.quantity = quantity.map { wire($0) }
    _ = try await desk.oms.acceptReplace(request)
    return id
  }

  @Test func `KS-01 a replacement that waited comes behind its order's cancel`() async throws {
    try await withOMS { desk in
      let id = try await open(desk, "c-1")
      desk.world.cut("execution-router", .requests)
      _ = try await desk.cancel(id)

      // Whatever is still to be sent is sent again, in no order of its own.
      desk.world.cut("execution-router", nil)
      desk.router.holdsReplacements = false
      let after = try await desk.reopened()

      #expect(await eventually { desk.router.replaced.contains { $0.orderId == id } })
      #expect(desk.router.changes.first == "cancel \(id)")
      await after.running.drop()
    }
  }

  @Test func `OMS-05 an order that fills while its replacement and its cancel wait ends filled`()
    async throws
  {
    try await withOMS { desk in
      let id = try await open(desk, "c-1", quantity: "2")
      _ = try await desk.cancel(id)
      #expect(await eventually { desk.router.cancelled.contains(id) })
      desk.router.report(.fill, id, fill: fill("E1", "1", at: "50000"))
      _ = try await desk.order(id) { text($0.filledQuantity) == "1" }

      // Done with it, the router says no more, unless it is asked.
      desk.router.holdsReplacements = false
      #expect(await eventually { desk.router.replaced.contains { $0.orderId == id } })
      desk.router.report(.replaceRejected, id)

      let ended = try await desk.order(id) { $0.status == .filled }
      #expect(text(ended.quantity) == "1")
    }
  }

  @Test func `KS-01 a cancel goes out for an order whose arrival its report was first to tell`()
    async throws
  {
    try await withOMS { desk in
      desk.router.loseAnswers()
      let id = try await desk.place("c-1")
      #expect(await eventually { desk.router.hasLostAnswers })
      // On its way: whoever hands it over is to see to it.
      _ = try await desk.cancel(id)
      desk.router.report(.acknowledged, id)
      _ = try await desk.order(id) { $0.version == 3 }

      desk.router.breakOff()

      #expect(await eventually { desk.router.cancelled == [id] })
      #expect(desk.router.routed.count == 1)
    }
  }

  @Test(arguments: [4, 6])
  func `KS-01 EX-19 an oms that starts again hands over what is fresh and nothing else`(
    seconds: Int64
  ) async throws {
    try await withOMS { desk in
      desk.world.cut("execution-router", .requests)
      let id = try await desk.place("c-1")
      let world = try desk.world.afterPowerLoss()
      await desk.running.drop()
      world.time.advance(by: .seconds(seconds))

      let after = try await OMSDesk.open(world, desk.router)

      if seconds < 5 {
        #expect(await eventually { desk.router.routed.contains { $0.orderId == id } })
      } else {
        let ended = try await after.order(id) { $0.status == .rejected }
        #expect(ended.rejectReason == .venueUnavailable)
        #expect(ended.rejectText.contains("too late"))
        #expect(desk.router.routed.isEmpty)
      }
      await after.running.drop()
    }
  }
}
