import Calls
import Contracts
import Loop
import Seeds
import ServiceKit
import TestKit
import Testing
import Units

@Suite struct `The oms` {
  @Test func `REC-01 what was answered is on disk and is found after a loss of power`()
    async throws
  {
    try await withOMS { desk in
      let accepted = try await desk.accept(OMSDesk.order("c-1")).order

      let after = try await desk.reopened()
      let found = try await after.order(try #require(accepted).orderId)

      #expect(found == accepted)
      // What was not routed, or not known to be, is routed again.
      #expect(await eventually { after.router.routed.contains { $0.orderId == found.orderId } })
      await after.running.drop()
    }
  }

  @Test func `IDM-01 GWY-13 the same client order id is one order`() async throws {
    try await withOMS { desk in
      let first = try await desk.accept(OMSDesk.order("c-1"))
      let second = try await desk.accept(OMSDesk.order("c-1"))

      #expect(!first.duplicate && second.duplicate)
      #expect(first.order == second.order)
      #expect(try await desk.all().count == 1)
      #expect(await eventually { desk.router.routed.count == 1 })
    }
  }

  @Test func `IDM-01 a thousand at once with one client order id are one order`() async throws {
    try await withOMS { desk in
      let ids = try await withThrowingTaskGroup(of: String.self) { group in
        for _ in 0..<1000 {
          group.addTask { try await desk.accept(OMSDesk.order("c-1")).order?.orderId ?? "" }
        }
        return try await group.reduce(into: Set<String>()) { $0.insert($1) }
      }

      #expect(ids.count == 1)
      #expect(try await desk.all().count == 1)
    }
  }

  @Test(arguments: [("2", "50000"), ("1", "50001"), ("1", nil)])
  func `IDM-01 the same client order id with other terms is refused`(
    quantity: String, price: String?
  ) async throws {
    try await withOMS { desk in
      let id = try await desk.place("c-1")

      let error = await refusal {
        try await desk.accept(OMSDesk.order("c-1", quantity, at: price))
      }

      #expect(error.code == .alreadyExists)
      #expect(error.reason == "DUPLICATE_ORDER")
      #expect(error.numbers["orderId"] == id)
    }
  }

  @Test func `IDM-03 a client order id is known after a restart, also of an order that is done`()
    async throws
  {
    try await withOMS { desk in
      let id = try await desk.place("c-1")
      desk.router.report(.rejected, id, text: "no money")
      _ = try await desk.order(id) { $0.status == .rejected }

      let after = try await desk.reopened()
      let again = try await after.accept(OMSDesk.order("c-1"))

      #expect(again.duplicate)
      #expect(again.order?.orderId == id)
      #expect(again.order?.status == .rejected)
      #expect(again.order?.rejectReason == .insufficientBalance)
      await after.running.drop()
    }
  }

  @Test func `OMS-04 partial fills have an exact average`() async throws {
    try await withOMS { desk in
      let id = try await desk.place("c-1", "0.3")
      desk.router.report(.acknowledged, id)
      desk.router.report(.fill, id, fill: fill("E1", "0.1", at: "49999.99"))
      desk.router.report(.fill, id, fill: fill("E2", "0.1", at: "50000.00"))

      let partial = try await desk.order(id) { text($0.filledQuantity) == "0.2" }
      #expect(partial.status == .partiallyFilled)
      #expect(text(partial.averagePrice) == "49999.995")

      desk.router.report(.fill, id, fill: fill("E3", "0.1", at: "50000.00"))
      let filled = try await desk.order(id) { $0.status == .filled }
      // 4999.999 + 5000 + 5000 over 0.3, to the nearest of ten decimals.
      #expect(text(filled.filledNotional) == "14999.999")
      #expect(text(filled.averagePrice) == "49999.9966666667")
    }
  }

  @Test func `a fill that is told twice counts once`() async throws {
    try await withOMS { desk in
      let id = try await desk.place("c-1", "0.3")
      desk.router.report(.acknowledged, id)
      desk.router.report(.fill, id, fill: fill("E1", "0.1", at: "50000"))
      desk.router.report(.fill, id, fill: fill("E1", "0.1", at: "50000"))
      desk.router.report(.fill, id, fill: fill("E2", "0.1", at: "50000"))

      let order = try await desk.order(id) { text($0.filledQuantity) == "0.2" }

      #expect(order.status == .partiallyFilled)
      #expect(try await desk.executions().map(\.executionId) == ["E2", "E1"])
    }
  }

  @Test func `OMS-14 silence is UNKNOWN and no end, until it is proven`() async throws {
    try await withOMS { desk in
      let lost = try await desk.place("c-1")
      let found = try await desk.place("c-2")
      for id in [lost, found] { desk.router.report(.unknown, id, text: "no answer within 3 s") }

      #expect(try await desk.order(lost) { $0.status == .unknown }.rejectText == "")
      _ = try await desk.order(found) { $0.status == .unknown }
      let state = try await desk.oms.getTradingState(.init())
      #expect(Set(state.openOrders.map(\.orderId)) == [lost, found])

      desk.router.report(.rejected, lost, text: "never reached the venue")
      desk.router.report(.acknowledged, found)
      _ = try await desk.order(lost) { $0.status == .rejected }
      _ = try await desk.order(found) { $0.status == .new }
    }
  }

  @Test func `OMS-03 each status is reached by the report that means it`() async throws {
    try await withOMS { desk in
      let router = desk.router
      let ids = try await [
        "new", "partial", "filled", "cancelled", "rejected", "expired", "unknown", "pending",
      ].asyncMap { try await desk.place($0) }
      for id in ids.dropLast() { router.report(.acknowledged, id) }
      router.report(.fill, ids[1], fill: fill("E1", "0.4", at: "50000"))
      router.report(.fill, ids[2], fill: fill("E2", "1", at: "50000"))
      router.report(.cancelled, ids[3])
      router.report(.expired, ids[5])
      router.report(.unknown, ids[6], text: "silence")
      let refused = try await desk.place("rejected-2")
      router.report(.rejected, refused, text: "no money")

      let want: [TypeV1.OrderStatus] = [
        .new, .partiallyFilled, .filled, .cancelled, .new, .expired, .unknown, .pendingNew,
      ]
      for (id, status) in zip(ids, want) { _ = try await desk.order(id) { $0.status == status } }
      _ = try await desk.order(refused) { $0.status == .rejected }
      #expect(try await desk.cancel(ids[0]).status == .pendingCancel)
      var replace = OmsV1.AcceptReplaceRequest()
      replace.orderId = ids[1]
      replace.price = wire("50001")
      #expect(try await desk.oms.acceptReplace(replace).status == .pendingReplace)
    }
  }

  @Test func `OMS-01 a cancel goes to the router once, and an order that is done has none`()
    async throws
  {
    try await withOMS { desk in
      let id = try await desk.place("c-1")
      desk.router.report(.acknowledged, id)
      _ = try await desk.order(id) { $0.status == .new }

      #expect(try await desk.cancel(id).status == .pendingCancel)
      #expect(try await desk.cancel(id).status == .pendingCancel)
      #expect(await eventually { desk.router.cancelled == [id] })
      desk.router.report(.cancelled, id)
      _ = try await desk.order(id) { $0.status == .cancelled }

      #expect(await refusal { try await desk.cancel(id) }.code == .failedPrecondition)
      #expect(desk.router.cancelled == [id])
    }
  }

  @Test func `OMS-05 a replacement carries the new terms and its version`() async throws {
    try await withOMS { desk in
      let id = try await desk.resting()
      var request = OmsV1.AcceptReplaceRequest()
      request.orderId = id
      request.price = wire("50001.5")
      request.quantity = wire("2")

      let pending = try await desk.oms.acceptReplace(request)
      #expect(pending.status == .pendingReplace)
      // The terms in force are the old ones; what may fill is the larger.
      #expect(text(pending.quantity) == "1" && text(pending.openQuantity) == "2")
      #expect(await eventually { desk.router.replaced.count == 1 })
      #expect(desk.router.replaced.map(\.version) == [pending.version])
      #expect(desk.router.replaced.map { text($0.price) } == ["50001.5"])
      desk.router.report(.replaced, id)

      let replaced = try await desk.order(id) { $0.status == .new }
      #expect(text(replaced.price) == "50001.5")
      #expect(text(replaced.quantity) == "2")
    }
  }

  @Test func `OMS-05 a replacement keeps its version when the order fills and the oms restarts`()
    async throws
  {
    try await withOMS { desk in
      let id = try await desk.resting()
      var request = OmsV1.AcceptReplaceRequest()
      request.orderId = id
      request.quantity = wire("2")
      let pending = try await desk.oms.acceptReplace(request)
      #expect(await eventually { desk.router.replaced.count == 1 })
      desk.router.report(.fill, id, fill: fill("E1", "0.4", at: "50000"))
      _ = try await desk.order(id) { text($0.filledQuantity) == "0.4" }
      // What is told with a sequence is on the disk: the fill as well.
      _ = try await desk.oms.getTradingState(.init())

      let after = try await desk.reopened()

      #expect(await eventually { after.router.replaced.count == 2 })
      #expect(after.router.replaced.map(\.version) == [pending.version, pending.version])
      await after.running.drop()
    }
  }

  @Test(arguments: [StatusCode.invalidArgument, .notFound])
  func `OMS-05 a replacement that the router will never carry out is refused`(
    code: StatusCode
  ) async throws {
    try await withOMS { desk in
      let id = try await desk.resting()
      desk.router.refuseReplacements(RPCError(code, "no such thing here"))
      var request = OmsV1.AcceptReplaceRequest()
      request.orderId = id
      request.quantity = wire("2")
      _ = try await desk.oms.acceptReplace(request)

      let after = try await desk.order(id) { $0.status == .new }

      #expect(text(after.quantity) == "1")
      #expect(desk.router.replaced.count == 1)
    }
  }

  @Test func `OMS-14 a report of no order is told of in readiness`() async throws {
    try await withOMS { desk in
      let stranger = "0000000000007"
      desk.router.report(.fill, stranger, fill: fill("E1", "1", at: "50000"))

      #expect(
        await eventually {
          desk.running.context.readiness.degraded.contains {
            $0.name == "reports fit" && $0.reason.contains(stranger)
          }
        })
      #expect(desk.running.context.readiness.isReady)
    }
  }

  @Test func `OMS-14 a late fill behind a long reason is taken`() async throws {
    try await withOMS { desk in
      let id = try await desk.place("c-1")
      desk.router.report(.acknowledged, id)
      desk.router.report(.cancelled, id, text: String(repeating: "why ", count: 2_000))
      _ = try await desk.order(id) { $0.status == .cancelled }
      desk.router.report(.fill, id, fill: fill("E1", "1", at: "50000"))

      _ = try await desk.order(id) { text($0.filledQuantity) == "1" }
    }
  }

  @Test func `errors name what is wrong`() async throws {
    try await withOMS { desk in
      let unknown = await refusal { try await desk.order("0000000000001") }
      #expect(unknown.code == .notFound && unknown.reason == "UNKNOWN_ORDER")
      #expect(await refusal { try await desk.order("") }.fields == ["orderId"])

      var order = OMSDesk.order("")
      #expect(await refusal { try await desk.accept(order) }.fields == ["order.clientOrderId"])
      order = OMSDesk.order("c-1", at: "50000.001")
      #expect(await refusal { try await desk.accept(order) }.fields == ["order.price"])
      order = OMSDesk.order("c-1", "0.000001")
      #expect(await refusal { try await desk.accept(order) }.fields == ["order.quantity"])
      order.symbol = "LUNA"
      #expect(await refusal { try await desk.accept(order) }.fields == ["symbol"])
      let all = try await desk.all()
      #expect(all.isEmpty)
    }
  }

  @Test func `orders are listed newest first, in pages without gaps`() async throws {
    try await withOMS { desk in
      var placed: [String] = []
      for number in 0..<25 { placed.append(try await desk.place("c-\(number)")) }
      var listed: [String] = []
      var request = OmsV1.ListOrdersRequest()
      request.pageSize = 10
      repeat {
        let page = try await desk.oms.listOrders(request)
        listed += page.orders.map(\.orderId)
        request.pageToken = page.nextPageToken
      } while !request.pageToken.isEmpty

      #expect(listed == placed.reversed())
    }
  }
}

extension Sequence {
  func asyncMap<Result>(_ body: (Element) async throws -> Result) async rethrows -> [Result] {
    var results: [Result] = []
    for element in self { results.append(try await body(element)) }
    return results
  }
}

extension OMSDesk {
  /// An order that the venue has acknowledged.
  fileprivate func resting() async throws -> String {
    let id = try await place("c-1")
    router.report(.acknowledged, id)
    _ = try await order(id) { $0.status == .new }
    return id
  }
}
