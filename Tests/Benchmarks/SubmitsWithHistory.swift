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
import Telemetry
import Transport
import Wire

/// `oms.submit.0`, `.100k`, `.1m`: `AcceptOrder` of the whole oms in this process, with so many
/// orders that are done in its journal and in its memory, asked by 64 tasks at once. Each order goes
/// on to a router that takes it and rejects it, as the simulator does with an IOC order. Not in it:
/// network, TLS, tokens, PostgreSQL. `recovery_s` is how long the reading of that history took.
enum SubmitsWithHistory {
  private static let submits = 30_000
  private static let tasks = 64

  static func run() throws -> [Figures] {
    let workspace = try Workspace("oms")
    return try [(0, "0"), (100_000, "100k"), (1_000_000, "1m")].map { history, name in
      let folder = "\(workspace.path)/\(name)"
      try onLoop { try await write(history, folder + "/journal/oms", $0) }
      let outcome = try onLoop { try await submit(folder, $0) }
      var figures = Figures("oms.submit.\(name)", samples: outcome.nanoseconds)
      figures.operationsPerSecond = Double(submits) * 1e9 / outcome.elapsed
      figures.more = [
        ("recovery_s", outcome.recovery / 1e9), ("records", Double(outcome.records)),
        ("resident_mb", outcome.resident),
      ]
      return figures
    }
  }

  private struct Outcome: Sendable {
    var nanoseconds: [Double] = []
    var elapsed = 0.0
    var recovery = 0.0
    var records: UInt64 = 0
    var resident = 0.0
  }

  // MARK: The history

  static func write(_ orders: Int, _ folder: String, _ loop: EventLoop) async throws {
    let journal = try Journal.open(folder)
    var record = OmsV1.JournalRecord()
    record.record = .instrument(instrument)
    _ = try await journal.append(record.encoded())
    var group: [[UInt8]] = []
    for number in 1...max(1, orders) where orders > 0 {
      let order = done(number)
      group.append(event(.accepted, order))
      group.append(event(.rejected, order))
      if group.count >= 2_000 {
        _ = try await journal.append(contentsOf: group)
        group = []
      }
    }
    if !group.isEmpty { _ = try await journal.append(contentsOf: group) }
    journal.close()
  }

  private static func done(_ number: Int) -> OmsV1.Order {
    var order = benchmarkOrder()
    order.orderId = OrderID(UInt64(number)).description
    order.clientOrderId = "old-\(number)"
    order.status = .rejected
    order.rejectReason = .venuePolicy
    order.filledQuantity = nil
    order.quantity = .with {
      $0.units = 12_500
      $0.scale = 5
    }
    return order
  }

  private static func event(_ kind: OmsV1.OrderEvent.Kind, _ order: OmsV1.Order) -> [UInt8] {
    var event = OmsV1.OrderEvent()
    event.kind = kind
    event.time = order.createdAt
    event.order = order
    var journaled = OmsV1.JournaledEvent()
    journaled.event = event
    var record = OmsV1.JournalRecord()
    record.record = .event(journaled)
    return record.encoded()
  }

  private static var instrument: MarketV1.Instrument {
    var instrument = MarketV1.Instrument()
    instrument.venue = "binance"
    instrument.symbol = "BTCUSDT"
    instrument.venueSymbol = "BTCUSDT"
    instrument.baseAsset = "BTC"
    instrument.quoteAsset = "USDT"
    instrument.priceScale = 2
    instrument.quantityScale = 5
    instrument.tickSize = decimal(1, 2)
    instrument.lotSize = decimal(1, 5)
    instrument.minQuantity = decimal(1, 5)
    instrument.maxQuantity = decimal(9_000, 0)
    instrument.trading = true
    return instrument
  }

  private static func decimal(_ units: Int64, _ scale: UInt32) -> TypeV1.Decimal {
    .with {
      $0.units = units
      $0.scale = scale
    }
  }

  // MARK: The orders

  private static func submit(_ folder: String, _ loop: EventLoop) async throws -> Outcome {
    var outcome = Outcome()
    let router = RejectingRouter()
    let began = loop.uptime.nanoseconds
    let (oms, context) = try await service(folder, router.methods, loop)
    outcome.recovery = Double(loop.uptime.nanoseconds - began)
    let channel = InProcessChannel(
      methods: oms.methods, identity: Identity(service: "trading-gateway"), loop: loop)
    let client = OmsV1.OrderServiceClient(channel: channel)
    let start = loop.uptime.nanoseconds
    outcome.nanoseconds = try await withThrowingTaskGroup(of: [Double].self) { group in
      for task in 0..<tasks {
        group.addTask(executorPreference: loop) { try await times(task, client, loop) }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    outcome.elapsed = Double(loop.uptime.nanoseconds - start)
    outcome.records = UInt64(outcome.nanoseconds.count)
    outcome.resident = resident()
    await context.stopTasks()
    await oms.stop()
    return outcome
  }

  /// An oms over a folder that has its journal, started and ready for orders.
  static func service(
    _ folder: String, _ router: [ServerMethod], _ loop: EventLoop
  ) async throws -> (OMS, ServiceContext) {
    let context = ServiceContext(
      name: OMS.name, loop: loop, state: StateFolder(folder),
      connect: { name in
        InProcessChannel(
          methods: name == "execution-router" ? router : [],
          identity: Identity(service: "benchmark"), loop: loop)
      })
    let loaded = try LoadedSettings<OMS.Config>(
      OMS.name,
      from: SettingsSources(flags: [
        try SettingsSources.Flag(parsing: "oms.unsent_orders_max=1000000")
      ]), sections: [])
    let oms = try OMS(context, loaded.config, AbsentStore(), JournalSettings())
    try await oms.start()
    context.readiness.require("instruments").hold()
    return (oms, context)
  }

  private static func times(
    _ task: Int, _ client: OmsV1.OrderServiceClient, _ loop: EventLoop
  ) async throws -> [Double] {
    var times: [Double] = []
    for number in 0..<submits / tasks {
      var order = done(number + 1)
      order.orderId = ""
      order.clientOrderId = "new-\(task)-\(number)"
      order.status = .unspecified
      var request = OmsV1.AcceptOrderRequest()
      request.order = order
      let start = loop.uptime.nanoseconds
      _ = try await client.acceptOrder(request)
      times.append(Double(loop.uptime.nanoseconds - start))
    }
    return times
  }

  private static func resident() -> Double {
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

private struct AbsentStore: OrderStore {
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
