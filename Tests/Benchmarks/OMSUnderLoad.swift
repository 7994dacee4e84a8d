import Calls
import Chrono
import Contracts
import Glibc
import Journal
import Loop
import OMSService
import Orders
import Postgres
import ServiceKit
import Synchronization
import Telemetry
import Transport
import Wire

/// The whole oms in this process over a journal on the disk, before a router that takes every order and
/// rejects it. Not in it: network, TLS, tokens, PostgreSQL.
struct OMSUnderLoad {
  let openingSeconds: Double
  private let oms: OMS
  private let context: ServiceContext
  let client: OmsV1.OrderServiceClient
  private let loop: EventLoop

  init(
    _ folder: String, _ store: any OrderStore, _ settings: [String], _ loop: EventLoop
  ) async throws {
    let began = loop.uptime.nanoseconds
    let router = RejectingRouter()
    (oms, context) = try Self.open(folder, router.methods, store, settings, loop)
    openingSeconds = Double(loop.uptime.nanoseconds - began) / 1e9
    self.loop = loop
    try await oms.start()
    context.readiness.require("instruments").hold()
    let channel = InProcessChannel(
      methods: oms.methods, identity: Identity(service: "trading-gateway"), loop: loop)
    client = OmsV1.OrderServiceClient(channel: channel)
  }

  /// Reads the journal, and no more.
  static func open(
    _ folder: String, _ router: [ServerMethod], _ store: any OrderStore, _ settings: [String],
    _ loop: EventLoop
  ) throws -> (OMS, ServiceContext) {
    let context = ServiceContext(
      name: OMS.name, loop: loop, state: StateFolder(folder),
      connect: { name in
        InProcessChannel(
          methods: name == "execution-router" ? router : [],
          identity: Identity(service: "benchmark"), loop: loop)
      })
    let roomy = ["oms.unsent_orders_max=1000000", "oms.orders_open_max=1000000"]
    let flags = try (roomy + settings).map {
      try SettingsSources.Flag(parsing: $0)
    }
    let loaded = try LoadedSettings<OMS.Config>(
      OMS.name, from: SettingsSources(flags: flags), sections: [])
    return (try OMS(context, loaded.config, store, JournalSettings()), context)
  }

  /// Started and ready for orders.
  static func start(
    _ folder: String, _ router: [ServerMethod], _ store: any OrderStore, _ settings: [String],
    _ loop: EventLoop
  ) async throws -> (OMS, ServiceContext) {
    let (oms, context) = try open(folder, router, store, settings, loop)
    try await oms.start()
    context.readiness.require("instruments").hold()
    return (oms, context)
  }

  func stop() async {
    await context.stopTasks()
    await oms.stop()
  }

  /// The times of `count` orders.
  func submit(_ count: Int, _ name: String, tasks: Int = 64) async throws -> [Double] {
    try await withThrowingTaskGroup(of: [Double].self) { group in
      for task in 0..<tasks {
        group.addTask(executorPreference: loop) {
          try await times(count / tasks, "\(name)-\(task)")
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
  }

  private func times(_ count: Int, _ name: String) async throws -> [Double] {
    var times: [Double] = []
    times.reserveCapacity(count)
    for number in 0..<count {
      var order = SubmitsWithHistory.done(number + 1)
      order.orderId = ""
      order.clientOrderId = "\(name)-\(number)"
      order.status = .unspecified
      var request = OmsV1.AcceptOrderRequest()
      request.order = order
      let start = loop.uptime.nanoseconds
      _ = try await client.acceptOrder(request)
      times.append(Double(loop.uptime.nanoseconds - start))
    }
    return times
  }

  /// The most that this process ever held.
  static var residentMegabytes: Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Double(usage.ru_maxrss) / 1024
  }
}

/// Takes every order, and rejects it.
private final class RejectingRouter: ExecutionV1.ExecutionServiceHandler {
  private let reports: AsyncStream<String>
  private let next: AsyncStream<String>.Continuation

  init() { (reports, next) = AsyncStream.makeStream() }

  func routeOrder(
    _ request: ExecutionV1.RouteOrderRequest, _ context: ServerContext
  ) async throws -> ExecutionV1.RouteOrderResponse {
    next.yield(request.order?.orderId ?? "")
    return .init()
  }

  func cancelOrder(
    _ request: ExecutionV1.CancelRoutedOrderRequest, _ context: ServerContext
  ) async throws -> ExecutionV1.CancelRoutedOrderResponse { .init() }

  func replaceOrder(
    _ request: ExecutionV1.ReplaceRoutedOrderRequest, _ context: ServerContext
  ) async throws -> ExecutionV1.ReplaceRoutedOrderResponse { .init() }

  func streamReports(
    _ request: ExecutionV1.StreamReportsRequest,
    _ responses: Outgoing<ExecutionV1.ExecutionReport>, _ context: ServerContext
  ) async throws {
    var sequence = request.afterSequence
    for await id in reports {
      sequence += 1
      var report = ExecutionV1.ExecutionReport()
      report.sequence = sequence
      report.kind = .rejected
      report.rejectReason = .venuePolicy
      report.orderId = id
      try await responses.send(report)
    }
  }
}

struct AbsentStore: OrderStore {
  private var away: RPCError { RPCError(.unavailable, "there is no database") }

  func prepare() async throws { throw away }
  func progress() async throws -> RecordProgress { throw away }
  func beginAgain(_ reason: String, until sequence: UInt64) async throws -> RecordProgress {
    throw away
  }
  func record(
    _ events: [OmsV1.OrderEvent], through progress: RecordProgress
  ) async throws -> [RefusedItem<OmsV1.OrderEvent>] { throw away }
  func setAsideCount() async throws -> Int { throw away }
  func order(_ id: OrderID) async throws -> OmsV1.Order? { throw away }
  func orders(_ query: OrderQuery) async throws -> [OmsV1.Order] { throw away }
  func events(_ id: OrderID) async throws -> [OmsV1.OrderEvent] { throw away }
  func executions(_ query: ExecutionQuery) async throws -> [OmsV1.Execution] { throw away }
}

/// Has everything that it is asked to record, a millisecond after it was asked.
final class RecordedStore: OrderStore {
  private let loop: EventLoop
  private let recorded = Mutex(
    RecordProgress(generation: 1, position: LogPosition.start, againUntil: 0))

  init(loop: EventLoop) { self.loop = loop }

  func prepare() async throws {}
  func progress() async throws -> RecordProgress { recorded.withLock { $0 } }
  func beginAgain(_ reason: String, until sequence: UInt64) async throws -> RecordProgress {
    recorded.withLock { progress in
      progress = RecordProgress(
        generation: progress.generation + 1, position: .start, againUntil: sequence)
      return progress
    }
  }
  func record(
    _ events: [OmsV1.OrderEvent], through progress: RecordProgress
  ) async throws -> [RefusedItem<OmsV1.OrderEvent>] {
    await loop.sleep(for: .milliseconds(1))
    recorded.withLock { $0 = progress }
    return []
  }
  func setAsideCount() async throws -> Int { 0 }
  func order(_ id: OrderID) async throws -> OmsV1.Order? { nil }
  func orders(_ query: OrderQuery) async throws -> [OmsV1.Order] { [] }
  func events(_ id: OrderID) async throws -> [OmsV1.OrderEvent] { [] }
  func executions(_ query: ExecutionQuery) async throws -> [OmsV1.Execution] { [] }
}
