import Calls
import Contracts
import Journal
import Loop
import OMSService
import Orders
import Postgres
import ServiceKit
import Synchronization
import TestKit
import Testing

/// What PostgreSQL would have; it may be away.
private final class RecordInMemory: OrderStore {
  private let state = Mutex(State())

  private struct State {
    var events: [String: [OmsV1.OrderEvent]] = [:]
    var position = LogPosition.start
    var isAway = false
  }

  var isAway: Bool {
    get { state.withLock { $0.isAway } }
    set { state.withLock { $0.isAway = newValue } }
  }
  var through: UInt64 { state.withLock { $0.position.sequence } }

  private func present<Result: Sendable>(_ body: (inout State) -> Result) throws -> Result {
    try state.withLock { state in
      if state.isAway { throw RPCError(.unavailable, "there is no database") }
      return body(&state)
    }
  }

  func prepare() async throws {}
  func progress() async throws -> RecordProgress {
    try present { RecordProgress(generation: 1, position: $0.position, againUntil: 0) }
  }
  func beginAgain(_ reason: String, until sequence: UInt64) async throws -> RecordProgress {
    RecordProgress(generation: 1, position: .start, againUntil: 0)
  }
  func record(
    _ events: [OmsV1.OrderEvent], through progress: RecordProgress
  ) async throws -> [RefusedItem<OmsV1.OrderEvent>] {
    try present { state in
      for event in events { state.events[event.order?.orderId ?? "", default: []].append(event) }
      state.position = progress.position
    }
    return []
  }
  func setAsideCount() async throws -> Int { 0 }
  func order(_ id: OrderID) async throws -> OmsV1.Order? {
    try present { $0.events[id.description]?.last?.order }
  }
  func orders(_ query: OrderQuery) async throws -> [OmsV1.Order] { [] }
  func events(_ id: OrderID) async throws -> [OmsV1.OrderEvent] {
    try present { $0.events[id.description] ?? [] }
  }
  func executions(_ query: ExecutionQuery) async throws -> [OmsV1.Execution] { [] }
}

@Suite struct `Orders that have left memory` {
  @Test func `IDM-03 are recognised, compared term by term, and not guessed about`() async throws {
    try await withLoop { loop in
      let world = try ServiceWorld(loop)
      let (store, router) = (RecordInMemory(), ScriptedRouter())
      world.serve("market-connector", ScriptedMarket().methods)
      world.serve("execution-router", router.methods)
      let running = try await world.start(
        OMSDesk.settings + ["oms.orders_kept_max=1000", "oms.orders_kept_for=0s"]
      ) { context, config in
        try OMS(context, config, store, JournalSettings())
      }
      try #require(await running.ready())
      let desk = OMSDesk(world: world, router: router, running: running)
      let first = try await desk.place("c-0")
      router.report(.rejected, first)
      var last = first
      for number in 1...1_001 {
        last = try await desk.place("c-\(number)")
        router.report(.rejected, last)
      }
      _ = try await desk.order(last) { $0.status == .rejected }
      #expect(await eventually { store.through >= 2 * 1_002 })

      let again = try await desk.accept(OMSDesk.order("c-0"))
      #expect(again.duplicate && again.order?.orderId == first)
      #expect(again.order?.status == .rejected)
      let other = await refusal { try await desk.accept(OMSDesk.order("c-0", "2")) }
      #expect(other.code == .alreadyExists && other.reason == "DUPLICATE_ORDER")
      store.isAway = true
      #expect(await refusal { try await desk.accept(OMSDesk.order("c-0")) }.code == .unavailable)
      _ = try await desk.place("c-new")
      await running.drop()
    }
  }
}
