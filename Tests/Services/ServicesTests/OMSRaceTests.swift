import Calls
import Chrono
import Contracts
import Loop
import Seeds
import TestKit
import Testing
import Units
import Wire

@Suite struct `Orders under fire` {
  /// What the venue will say of one order.
  struct Script: Sendable {
    var id: String
    /// Raw lots of 0.00001, of distinct executions.
    var fills: [Int64] = []
    var isCancelled = false
    var filled: Int64 { fills.reduce(0, +) }
  }

  static let whole: Int64 = 100_000

  /// Fills of each order, some told twice, in between its end, all orders interleaved.
  private func play(
    _ scripts: inout [Script], _ random: inout SeededGenerator, _ router: ScriptedRouter
  ) {
    for script in scripts { router.report(.acknowledged, script.id) }
    for round in 0..<6 {
      for index in scripts.indices where Bool.random(using: &random) {
        let rest = Self.whole - scripts[index].filled
        guard rest > 0 else { continue }
        let quantity = round == 5 ? rest : Int64.random(in: 1...rest, using: &random)
        let execution = "E\(index)-\(scripts[index].fills.count)"
        let told = fill(
          execution, Decimal(units: quantity, scale: 5).description, at: "50000.0\(round)")
        scripts[index].fills.append(quantity)
        let mayCancel = Int.random(in: 0..<4, using: &random) == 0 && !scripts[index].isCancelled
        if mayCancel {
          // The end overtakes a fill: it counts all the same.
          router.report(.cancelled, scripts[index].id)
          scripts[index].isCancelled = true
        }
        router.report(.fill, scripts[index].id, fill: told)
        if Bool.random(using: &random) { router.report(.fill, scripts[index].id, fill: told) }
      }
    }
    for index in scripts.indices where scripts[index].filled < Self.whole {
      if !scripts[index].isCancelled { router.report(.cancelled, scripts[index].id) }
    }
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `OMS-06 cancels that race with fills keep every quantity, and a replay finds the same bits`(
    seed: UInt64
  ) async throws {
    try await withOMS { desk in
      var random = SeededGenerator(seed: seed)
      var scripts: [Script] = []
      for number in 0..<30 { scripts.append(Script(id: try await desk.place("c-\(number)"))) }
      let ids = scripts.map(\.id).shuffled(using: &random)
      async let cancels: Void = {
        for id in ids {
          do { _ = try await desk.cancel(id) } catch let error as RPCError {
            #expect(error.code == .failedPrecondition)
          }
        }
      }()
      play(&scripts, &random, desk.router)
      try await cancels
      let wanted = scripts.reduce(0) { $0 + $1.fills.count }
      #expect(await eventually { (try? await desk.executions().count) == wanted })

      for script in scripts {
        let order = try await desk.order(script.id) {
          [.filled, .cancelled].contains($0.status)
            && text($0.filledQuantity)
              == Decimal(units: script.filled, scale: 5).normalized.description
        }
        #expect(script.filled < Self.whole || order.status == .filled || script.isCancelled)
        var request = OmsV1.ListExecutionsRequest()
        request.orderId = script.id
        let executions = try await desk.oms.listExecutions(request).executions
        #expect(executions.reduce(0) { $0 + ($1.quantity?.units ?? 0) } == script.filled)
      }
      try await expectSameAfterReplay(desk)
    }
  }

  private func expectSameAfterReplay(_ desk: OMSDesk) async throws {
    let orders = try await desk.all().map { $0.encoded() }
    let executions = try await desk.executions().map { $0.encoded() }
    let sequence = try await desk.oms.getTradingState(.init()).sequence

    let after = try await desk.reopened()

    #expect(try await after.all().map { $0.encoded() } == orders)
    #expect(try await after.executions().map { $0.encoded() } == executions)
    #expect(try await after.oms.getTradingState(.init()).sequence == sequence)
    await after.running.drop()
  }

  @Test func `REC-06 reports that are told again after a break change nothing`() async throws {
    try await withOMS { desk in
      let id = try await desk.place("c-1")
      desk.router.report(.acknowledged, id)
      desk.router.report(.fill, id, fill: fill("E1", "0.25", at: "50000"))
      let before = try await desk.order(id) { $0.status == .partiallyFilled }

      desk.router.cut()
      desk.router.report(.fill, id, fill: fill("E2", "0.25", at: "50000"))

      let after = try await desk.order(id) { text($0.filledQuantity) == "0.5" }
      #expect(after.version == before.version + 1)
    }
  }

  @Test func `events are streamed in order, from any sequence, without gaps`() async throws {
    try await withOMS { desk in
      let id = try await desk.place("c-1")
      desk.router.report(.acknowledged, id)
      for number in 1...3 {
        desk.router.report(.fill, id, fill: fill("E\(number)", "0.1", at: "50000"))
      }
      _ = try await desk.order(id) { text($0.filledQuantity) == "0.3" }

      let all = try await events(desk, after: 0, count: 5)
      let rest = try await events(desk, after: all[1].sequence, count: 3)

      #expect(all.map(\.kind) == [.accepted, .acknowledged, .fill, .fill, .fill])
      #expect(rest == Array(all[2...]))
      #expect(all.map { $0.order?.version } == [1, 2, 3, 4, 5])
    }
  }

  private func events(
    _ desk: OMSDesk, after sequence: UInt64, count: Int
  ) async throws -> [OmsV1.OrderEvent] {
    var request = OmsV1.StreamEventsRequest()
    request.afterSequence = sequence
    let stream = try await desk.oms.streamEvents(
      request, CallOptions(deadline: desk.world.loop.uptime + .seconds(5)))
    defer { stream.cancel() }
    var events: [OmsV1.OrderEvent] = []
    while events.count < count, let event = try await stream.next() { events.append(event) }
    return events
  }
}
