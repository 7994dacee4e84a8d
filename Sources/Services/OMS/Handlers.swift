internal import Calls
internal import Chrono
internal import Contracts
internal import Journal
internal import Loop
internal import Orders
internal import ServiceKit
internal import Translation
internal import Venue
internal import Wire

struct Handlers: OmsV1.OrderServiceHandler {
  let desk: OrderDesk
  let router: RouterLink
  let store: any OrderStore
  let context: ServiceContext
  let config: Config

  func acceptOrder(
    _ request: OmsV1.AcceptOrderRequest, _ context: ServerContext
  ) async throws -> OmsV1.AcceptOrderResponse {
    guard let order = request.order else { throw RPCError.invalid("order", "is missing") }
    // A full journal refuses by itself, and proves that nothing was done.
    try self.context.requireReady(but: [OMS.journalCondition])
    var response = OmsV1.AcceptOrderResponse()
    if let evicted = await desk.evictedOrder(order) {
      response.order = try await stored(evicted, askedAs: order)
      response.duplicate = true
      response.sequence = await desk.lastEvent
      return response
    }
    if request.existingOnly {
      response.order = try await desk.existing(order)
      response.duplicate = true
    } else {
      let (accepted, isDuplicate) = try await refusing {
        try await desk.accept(order, admitted: request.admittedTimeNs)
      }
      if !isDuplicate, let id = OrderID(parsing: accepted.orderId) { router.route(id) }
      response.order = accepted
      response.duplicate = isDuplicate
    }
    response.sequence = await desk.lastEvent
    return response
  }

  /// An order that has left memory, when it is asked for with the terms that it was accepted with.
  private func stored(_ id: OrderID, askedAs wire: OmsV1.Order) async throws -> OmsV1.Order {
    let first: OmsV1.Order?
    let last: OmsV1.Order?
    do {
      first = try await store.events(id).first?.order
      last = try await store.order(id)
    } catch {
      throw RPCError(
        .unavailable, "order \(id) has left memory, and its record cannot be read: \(error)")
    }
    guard let first, let last else {
      throw RPCError(.unavailable, "order \(id) has left memory, and is not recorded yet")
    }
    try await desk.requireSameTerms(id, first, wire)
    return last
  }

  private func refusing<Result>(_ body: () async throws -> Result) async throws -> Result {
    do { return try await body() } catch let refusal as JournalRefusal { throw refusal.rpcError }
  }

  func acceptReplace(
    _ request: OmsV1.AcceptReplaceRequest, _ context: ServerContext
  ) async throws -> OmsV1.Order {
    try self.context.requireReady(but: [OMS.journalCondition])
    let (id, version) = try await refusing { try await desk.requestReplace(request) }
    router.replace(id, version: version)
    return await desk.message(id)
  }

  func cancelOrder(
    _ request: OmsV1.CancelOrderRequest, _ context: ServerContext
  ) async throws -> OmsV1.Order {
    let id = try await desk.orderID(request.orderId)
    if try await refusing({ try await desk.requestCancel(id, reason: request.reason) }) {
      router.cancel(id)
    }
    return try await desk.settled(id, by: self.context.loop.uptime + config.cancelWait)
  }

  func cancelAllOrders(
    _ request: OmsV1.CancelAllOrdersRequest, _ context: ServerContext
  ) async throws -> OmsV1.CancelAllOrdersResponse {
    let (ids, refusal) = try await refusing {
      try await desk.requestCancelAll(
        symbol: request.symbol, strategy: request.strategyId, reason: request.reason)
    }
    for id in ids { router.cancel(id) }
    if let refusal { throw refusal }
    var response = OmsV1.CancelAllOrdersResponse()
    response.requested = UInt32(ids.count)
    return response
  }

  func getOrder(
    _ request: OmsV1.GetOrderRequest, _ context: ServerContext
  ) async throws -> OmsV1.Order {
    let id = try await desk.orderID(request.orderId)
    do {
      return try await desk.durableMessage(id)
    } catch {
      guard await desk.hasEvicted, let stored = try await store.order(id) else { throw error }
      return stored
    }
  }

  func listOrders(
    _ request: OmsV1.ListOrdersRequest, _ context: ServerContext
  ) async throws -> OmsV1.ListOrdersResponse {
    let size = try Paging.size(request.pageSize)
    let before = try request.pageToken.isEmpty ? nil : Paging.order(request.pageToken)
    let query = OrderQuery(
      symbol: request.symbol, openOnly: request.openOnly, clientOrderID: request.clientOrderId,
      before: before, limit: size + 1)
    var found = await desk.orders(query)
    if found.count < query.limit, await desk.hasEvicted, !request.openOnly {
      var rest = query
      rest.before = found.last.flatMap { OrderID(parsing: $0.orderId) } ?? before
      rest.limit = query.limit - found.count
      found += try await store.orders(rest)
    }
    var response = OmsV1.ListOrdersResponse()
    if found.count > size {
      found.removeLast(found.count - size)
      response.nextPageToken = found.last?.orderId ?? ""
    }
    response.orders = found
    return response
  }

  func listOrderEvents(
    _ request: OmsV1.ListOrderEventsRequest, _ context: ServerContext
  ) async throws -> OmsV1.ListOrderEventsResponse {
    let id = try await desk.orderID(request.orderId)
    let order = try await getOrder(
      {
        var get = OmsV1.GetOrderRequest()
        get.orderId = id.description
        return get
      }(), context)
    var response = OmsV1.ListOrderEventsResponse()
    response.events = try await store.events(id)
    // PostgreSQL is filled from the journal with a short delay: what it lacks is read from there.
    let known = response.events.last?.sequence ?? 0
    if UInt32(response.events.count) < order.version {
      let recorded = max(known, desk.recordedSequence)
      response.events += try await eventsFromJournal(id, after: recorded)
      // One that PostgreSQL has refused is in the journal alone.
      if UInt32(response.events.count) < order.version, recorded > known {
        response.events.removeAll { $0.sequence > known }
        response.events += try await eventsFromJournal(id, after: known)
      }
    }
    return response
  }

  /// The events of one order behind a sequence. It may be a long way: others have their turn meanwhile.
  private func eventsFromJournal(
    _ id: OrderID, after sequence: UInt64
  ) async throws -> [OmsV1.OrderEvent] {
    var events: [OmsV1.OrderEvent] = []
    var cursor = desk.journal.records(from: sequence + 1)
    var read = 0
    while let record = try cursor.nextRecord() {
      read += 1
      if read.isMultiple(of: Self.recordsPerTurn) {
        await Task.yield()
        try Task.checkCancellation()
      }
      guard let event = try OrderDesk.published(record), event.order?.orderId == id.description
      else { continue }
      events.append(event)
    }
    return events
  }

  private static let recordsPerTurn = 128

  func listExecutions(
    _ request: OmsV1.ListExecutionsRequest, _ context: ServerContext
  ) async throws -> OmsV1.ListExecutionsResponse {
    let size = try Paging.size(request.pageSize)
    let before = try request.pageToken.isEmpty ? nil : Paging.number(request.pageToken)
    let query = ExecutionQuery(
      symbol: request.symbol, orderID: request.orderId, before: before, limit: size + 1)
    var found = await desk.executions(query)
    if found.count < query.limit, await desk.hasEvicted {
      var rest = query
      rest.before = found.last?.sequence ?? before
      rest.limit = query.limit - found.count
      found += try await store.executions(rest)
    }
    var response = OmsV1.ListExecutionsResponse()
    if found.count > size {
      found.removeLast(found.count - size)
      response.nextPageToken = found.last.map { "\($0.sequence)" } ?? ""
    }
    response.executions = found
    return response
  }

  func streamEvents(
    _ request: OmsV1.StreamEventsRequest, _ responses: Outgoing<OmsV1.OrderEvent>,
    _ context: ServerContext
  ) async throws {
    let position = LogPosition(sequence: request.afterSequence, mark: request.afterMark)
    var cursor = try desk.journal.records(behind: position, of: OMS.name)
    var published = PublishedEvents(await desk.instruments.all)
    while let record = try await cursor.followingRecord() {
      if let event = try published.event(of: record) { try await responses.send(encoded: event) }
    }
    try Task.checkCancellation()
    throw RPCError(.unavailable, "the oms is stopping; resume after the last sequence")
  }

  func getTradingState(
    _ request: OmsV1.GetTradingStateRequest, _ context: ServerContext
  ) async throws -> OmsV1.TradingState {
    try self.context.requireReady(but: [OMS.journalCondition])
    return try await desk.tradingState()
  }

}

/// Sizes and tokens of pages.
enum Paging {
  static func size(_ asked: UInt32) throws(RPCError) -> Int {
    guard asked <= 1_000 else { throw .invalid("pageSize", "must be from 1 to 1000, not \(asked)") }
    return asked == 0 ? 100 : Int(asked)
  }

  static func order(_ token: String) throws(RPCError) -> OrderID {
    guard let id = OrderID(parsing: token) else {
      throw .invalid("pageToken", "is not one of ours")
    }
    return id
  }

  static func number(_ token: String) throws(RPCError) -> UInt64 {
    guard let number = UInt64(token) else { throw .invalid("pageToken", "is not one of ours") }
    return number
  }
}
