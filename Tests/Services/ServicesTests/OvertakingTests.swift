import Calls
import Contracts
import TestKit
import Testing

/// What waits for the router and comes after a cancel.
@Suite struct `Requests that overtake each other` {
  @Test func `KS-01 a replacement that waited is not sent once its order is to be cancelled`()
    async throws
  {
    try await withOMS { desk in
      let first = try await desk.place("c-1")
      let second = try await desk.place("c-2")
      for id in [first, second] {
        desk.router.report(.acknowledged, id)
        _ = try await desk.order(id) { $0.status == .new }
      }
      desk.router.holdsReplacements = true
      for id in [first, second] {
        var request = OmsV1.AcceptReplaceRequest()
        request.orderId = id
        request.price = wire("49000")
        _ = try await desk.oms.acceptReplace(request)
      }
      _ = try await desk.cancel(first)
      #expect(await eventually { desk.router.cancelled == [first] })

      // Everything that is still to be sent is sent again, the first order's before the second's.
      desk.router.holdsReplacements = false
      let after = try await desk.reopened()

      #expect(await eventually { desk.router.replaced.contains { $0.orderId == second } })
      #expect(await eventually { desk.router.cancelled.count == 2 })
      #expect(!desk.router.replaced.contains { $0.orderId == first })
      await after.running.drop()
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
}
