import Calls
import Contracts
import Synchronization
import Wire

/// A market-connector's venue that has a memory, and answers as badly as the test wants.
final class ScriptedVenue: MarketV1.VenueOrderServiceHandler {
  enum Manner: Sendable {
    /// Takes an order and says so.
    case answers
    /// Takes it, and the answer is lost.
    case losesAnswers
    /// Takes it, and says so in a word that nobody knows.
    case answersStrangely
    /// Takes it, and says so with more digits than the order has.
    case answersFinely
    /// Never gets it, and nobody is told.
    case losesOrders
    case refuses(TypeV1.RejectReason)
  }

  private struct State {
    var manner = Manner.answers
    var orders: [String: MarketV1.VenueReport] = [:]
    var fills: [String: [MarketV1.Fill]] = [:]
    var placed: [MarketV1.VenueOrder] = []
    var queried: [String] = []
    var cancelled: [String] = []
    var amended: [MarketV1.AmendVenueOrderRequest] = []
    var amending = Amending.changes
    var cancelling = Answering.answers
    var asking = Answering.answers
    var listing = Answering.answers
    var cancelsAtOnce = 0
    var cancelsAtOnceMax = 0
    var listed = 0
    var holds: [UInt32] = []
    var gathered: [CheckedContinuation<Void, Never>] = []
    var beforePlacing: @Sendable (MarketV1.VenueOrder) throws -> Void = { _ in }
    var beforeAmending: @Sendable () throws -> Void = {}
  }

  /// How it answers to changes in place.
  enum Amending: Sendable {
    case changes
    /// Changes it, and the answer is lost.
    case losesAnswers
    /// Never hears of it, and nobody is told.
    case losesRequests
    case refuses(TypeV1.RejectReason, notInPlace: Bool)
  }

  /// How it answers to cancels and questions.
  enum Answering: Sendable {
    case answers
    /// It does as it is told, and the answer is lost.
    case losesAnswers
    case refuses(TypeV1.RejectReason)
    /// Nobody gets to ask it.
    case fails(RPCError)
    /// It has never heard of any order.
    case forgets
    /// It denies the order, and lists its fills.
    case forgetsOrders
    /// What it lists is not all that there is.
    case omits
    /// It answers when so many wait.
    case gathers(Int)
  }

  func cancels(_ manner: Answering) { state.withLock { $0.cancelling = manner } }
  func asked(_ manner: Answering) { state.withLock { $0.asking = manner } }
  func lists(_ manner: Answering) { state.withLock { $0.listing = manner } }
  var cancelsAtOnceMax: Int { state.withLock { $0.cancelsAtOnceMax } }
  var open: [String] {
    state.withLock { state in
      state.orders.values.filter { [.new, .partiallyFilled].contains($0.status) }
        .map(\.clientOrderId).sorted()
    }
  }
  /// How long each hold was to last, in milliseconds.
  var holds: [UInt32] { state.withLock { $0.holds } }
  var listed: Int { state.withLock { $0.listed } }

  private let state = Mutex(State())
  private let events = Feed<MarketV1.VenueReportEvent>()

  var placed: [MarketV1.VenueOrder] { state.withLock { $0.placed } }
  var queried: [String] { state.withLock { $0.queried } }
  var cancelled: [String] { state.withLock { $0.cancelled } }

  var amended: [MarketV1.AmendVenueOrderRequest] { state.withLock { $0.amended } }

  func amends(_ amending: Amending) { state.withLock { $0.amending = amending } }

  /// Called before the venue has each change.
  func beforeAmending(_ body: @escaping @Sendable () throws -> Void) {
    state.withLock { $0.beforeAmending = body }
  }

  func behave(_ manner: Manner) { state.withLock { $0.manner = manner } }

  /// Called with each order before the venue has it.
  func beforePlacing(_ body: @escaping @Sendable (MarketV1.VenueOrder) throws -> Void) {
    state.withLock { $0.beforePlacing = body }
  }

  /// The venue's view of an order, which it may also have got from elsewhere.
  @discardableResult
  func has(
    _ clientOrderID: String, _ status: TypeV1.OrderStatus = .new, filled: String = "0",
    fills: [MarketV1.Fill] = []
  ) -> MarketV1.VenueReport {
    var report = MarketV1.VenueReport()
    report.venue = "binance"
    report.symbol = "BTCUSDT"
    report.clientOrderId = clientOrderID
    report.venueOrderId = "V-\(clientOrderID)"
    report.status = status
    report.filledQuantity = wire(filled)
    report.exchangeTimeNs = 1_700_000_000_000_000_000
    state.withLock { state in
      state.orders[clientOrderID] = report
      state.fills[report.venueOrderId] = fills
    }
    return report
  }

  /// Tells on the private stream what `has` says.
  func tell(_ report: MarketV1.VenueReport, fill: MarketV1.Fill? = nil) {
    var report = report
    report.fill = fill
    var event = MarketV1.VenueReportEvent()
    event.event = .report(report)
    events.send(event)
  }

  func resynchronise() {
    var loss = MarketV1.VenueReportEvent.Resynchronise()
    loss.venue = "binance"
    loss.reason = "the private stream was away"
    var event = MarketV1.VenueReportEvent()
    event.event = .resynchronise(loss)
    events.send(event)
  }

  // MARK: Answers

  func placeOrder(
    _ request: MarketV1.PlaceOrderRequest, _ context: ServerContext
  ) async throws -> MarketV1.VenueOrderOutcome {
    let order = request.order ?? .init()
    try state.withLock { $0.beforePlacing }(order)
    let manner = state.withLock { state in
      state.placed.append(order)
      return state.manner
    }
    switch manner {
    case .answers:
      has(order.clientOrderId)
      return acknowledged(names(order.clientOrderId, order.price, order.quantity))
    case .losesAnswers:
      has(order.clientOrderId)
      names(order.clientOrderId, order.price, order.quantity)
      throw RPCError(.deadlineExceeded, "no answer")
    case .answersStrangely:
      has(order.clientOrderId)
      var report = names(order.clientOrderId, order.price, order.quantity)
      report.status = .pendingNew
      return acknowledged(report)
    case .answersFinely:
      has(order.clientOrderId)
      var report = names(order.clientOrderId, order.price, order.quantity)
      report.price = wire("50000.0000001")
      return acknowledged(report)
    case .losesOrders: throw RPCError(.unavailable, "the connection broke")
    case .refuses(let reason): return rejected(reason)
    }
  }

  func cancelOrder(
    _ request: MarketV1.CancelVenueOrderRequest, _ context: ServerContext
  ) async throws -> MarketV1.VenueOrderOutcome {
    let cancelling = state.withLock { state in
      state.cancelled.append(request.clientOrderId)
      state.cancelsAtOnce += 1
      state.cancelsAtOnceMax = max(state.cancelsAtOnceMax, state.cancelsAtOnce)
      return state.cancelling
    }
    defer { state.withLock { $0.cancelsAtOnce -= 1 } }
    if case .refuses(let reason) = cancelling { return rejected(reason) }
    if case .fails(let error) = cancelling { throw error }
    if case .gathers(let count) = cancelling { await gather(count) }
    let report = state.withLock { state -> MarketV1.VenueReport? in
      guard var report = state.orders[request.clientOrderId],
        [.new, .partiallyFilled].contains(report.status)
      else { return nil }
      report.status = .cancelled
      state.orders[request.clientOrderId] = report
      return report
    }
    if case .losesAnswers = cancelling { throw RPCError(.deadlineExceeded, "no answer") }
    return report.map(acknowledged) ?? rejected(.unknownOrder)
  }

  private func gather(_ count: Int) async {
    await withCheckedContinuation { waiting in
      let all = state.withLock { state -> [CheckedContinuation<Void, Never>] in
        state.gathered.append(waiting)
        guard state.gathered.count == count else { return [] }
        defer { state.gathered = [] }
        return state.gathered
      }
      for each in all { each.resume() }
    }
  }

  /// The terms that it tells of an order it has.
  @discardableResult
  private func names(
    _ id: String, _ price: TypeV1.Decimal?, _ quantity: TypeV1.Decimal?
  ) -> MarketV1.VenueReport {
    state.withLock { state in
      if let price { state.orders[id]?.price = price }
      if let quantity { state.orders[id]?.quantity = quantity }
      return state.orders[id] ?? .init()
    }
  }

  func amendOrder(
    _ request: MarketV1.AmendVenueOrderRequest, _ context: ServerContext
  ) async throws -> MarketV1.VenueOrderOutcome {
    try state.withLock { $0.beforeAmending }()
    let (amending, isOpen) = state.withLock { state in
      state.amended.append(request)
      let status = state.orders[request.clientOrderId]?.status
      return (state.amending, status == .new || status == .partiallyFilled)
    }
    guard isOpen else { return rejected(.unknownOrder) }
    switch amending {
    case .changes:
      return acknowledged(names(request.clientOrderId, request.price, request.quantity))
    case .losesAnswers:
      names(request.clientOrderId, request.price, request.quantity)
      throw RPCError(.deadlineExceeded, "no answer")
    case .losesRequests: throw RPCError(.unavailable, "the connection broke")
    case .refuses(let reason, let notInPlace): return rejected(reason, notInPlace: notInPlace)
    }
  }

  func cancelAllOrders(
    _ request: MarketV1.CancelAllVenueOrdersRequest, _ context: ServerContext
  ) async throws -> MarketV1.CancelAllVenueOrdersResponse { throw RPCError(.unimplemented, "") }

  func holdOrders(
    _ request: MarketV1.HoldOrdersRequest, _ context: ServerContext
  ) async throws -> MarketV1.HoldOrdersResponse {
    state.withLock { $0.holds.append(request.forMs) }
    return MarketV1.HoldOrdersResponse()
  }

  func queryOrder(
    _ request: MarketV1.QueryVenueOrderRequest, _ context: ServerContext
  ) async throws -> MarketV1.VenueOrderOutcome {
    let (report, asking) = state.withLock { state in
      state.queried.append(request.clientOrderId)
      return (state.orders[request.clientOrderId], state.asking)
    }
    switch asking {
    case .refuses(let reason): return rejected(reason)
    case .fails(let error): throw error
    case .forgets, .forgetsOrders: return rejected(.unknownOrder)
    case .losesAnswers: throw RPCError(.deadlineExceeded, "no answer")
    case .answers, .gathers, .omits: break
    }
    return report.map(acknowledged) ?? rejected(.unknownOrder)
  }

  func listOpenOrders(
    _ request: MarketV1.ListOpenVenueOrdersRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListOpenVenueOrdersResponse {
    let listing = state.withLock { state in
      state.listed += 1
      return state.listing
    }
    if case .refuses = listing { throw RPCError(.unavailable, "held back") }
    var response = MarketV1.ListOpenVenueOrdersResponse()
    response.orders = state.withLock { state in
      state.orders.values.filter { [.new, .partiallyFilled].contains($0.status) }
        .sorted { $0.clientOrderId < $1.clientOrderId }
    }
    if case .omits = listing { response.missing = [Self.unread] }
    if let half = response.orders.indices.dropFirst(response.orders.count / 2).first,
      request.pageToken.isEmpty, response.orders.count > 1
    {
      response.nextPageToken = "\(half)"
      response.orders.removeSubrange(half...)
    } else if let half = Int(request.pageToken) {
      response.orders.removeSubrange(..<half)
    }
    return response
  }

  func listFills(
    _ request: MarketV1.ListVenueFillsRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListVenueFillsResponse {
    var response = MarketV1.ListVenueFillsResponse()
    let (fills, asking, listing) = state.withLock { state in
      (state.fills[request.venueOrderId] ?? [], state.asking, state.listing)
    }
    if case .forgets = asking { return response }
    response.fills = fills
    if case .omits = listing { response.missing = [Self.unread] }
    return response
  }

  private static var unread: MarketV1.ListGap {
    var gap = MarketV1.ListGap()
    gap.symbol = "BTCUSDT"
    gap.reason = "a row cannot be read"
    return gap
  }

  func streamReports(
    _ request: MarketV1.StreamVenueReportsRequest,
    _ responses: Outgoing<MarketV1.VenueReportEvent>, _ context: ServerContext
  ) async throws {
    for await event in events.read() { try await responses.send(event) }
    throw RPCError(.unavailable, "the stream broke")
  }

  private func acknowledged(_ report: MarketV1.VenueReport) -> MarketV1.VenueOrderOutcome {
    var outcome = MarketV1.VenueOrderOutcome()
    outcome.outcome = .acknowledged(report)
    return outcome
  }

  private func rejected(
    _ reason: TypeV1.RejectReason, notInPlace: Bool = false
  ) -> MarketV1.VenueOrderOutcome {
    var rejection = MarketV1.VenueRejection()
    rejection.notInPlace = notInPlace
    rejection.reason = reason
    rejection.text = "the venue says no"
    var outcome = MarketV1.VenueOrderOutcome()
    outcome.outcome = .rejected(rejection)
    return outcome
  }
}
