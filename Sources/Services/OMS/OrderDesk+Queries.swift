internal import Calls
internal import Contracts
internal import Journal
package import Orders
internal import Tables
internal import Translation
internal import Units
internal import Venue
internal import Wire

/// Which orders to list; newest first.
package struct OrderQuery: Sendable {
  package var symbol: String
  package var openOnly: Bool
  package var clientOrderID: String
  /// Only orders older than this.
  package var before: OrderID?
  package var limit: Int
}

/// Which executions to list; newest first.
package struct ExecutionQuery: Sendable {
  package var symbol: String
  package var orderID: String
  /// Only sequences below this.
  package var before: UInt64?
  package var limit: Int
}

extension OrderDesk {
  var openRows: [OrderRow] { log.state.open.keys.sorted().compactMap { log.state[$0] } }

  func orders(_ query: OrderQuery) -> [OmsV1.Order] {
    var found: [OmsV1.Order] = []
    // What is not on disk yet does not exist for others.
    func take(_ row: OrderRow) -> Bool {
      let instrument = log.state.instrument(of: row)
      if accepting[row.order.id] == nil, query.symbol.isEmpty || instrument.symbol == query.symbol {
        found.append(row.message(instrument))
      }
      return found.count < query.limit
    }
    guard let few = fewCandidates(query) else {
      log.state.rows.newestFirst(before: query.before, take)
      return found
    }
    for id in few.sorted(by: >) {
      if let before = query.before, id >= before { continue }
      guard let row = log.state[id], !query.openOnly || log.state.open.contains(id) else {
        continue
      }
      guard take(row) else { break }
    }
    return found
  }

  /// Ids among which the answer is; nil for every order. A client order id is looked up, never
  /// searched for.
  private func fewCandidates(_ query: OrderQuery) -> [OrderID]? {
    if !query.clientOrderID.isEmpty {
      return log.state.accounts.compactMap {
        log.state.clients[ClientKey(account: $0, clientOrderID: query.clientOrderID)]
      }
    }
    return query.openOnly ? log.state.open.keys : nil
  }

  func executions(_ query: ExecutionQuery) -> [OmsV1.Execution] {
    var found: [OmsV1.Execution] = []
    log.state.executions.newestFirst { execution in
      if let before = query.before, execution.sequence >= before { return true }
      if !query.symbol.isEmpty, execution.symbol != query.symbol { return true }
      if !query.orderID.isEmpty, execution.orderId != query.orderID { return true }
      found.append(execution)
      return found.count < query.limit
    }
    return found
  }

  /// The id of an order that its client order id names and that has left memory.
  func evictedOrder(_ wire: OmsV1.Order) -> OrderID? {
    let key = ClientKey(account: wire.account, clientOrderID: wire.clientOrderId)
    guard let id = log.state.clients[key], log.state[id] == nil else { return nil }
    return id
  }

  /// Open orders as of one event, which is on disk when this answers.
  func tradingState() async throws -> OmsV1.TradingState {
    var state = OmsV1.TradingState()
    state.sequence = lastEvent
    state.openOrders = openRows.map { $0.message(log.state.instrument(of: $0)) }
    // A reader goes on behind this sequence: a crash must not take it back.
    try await untilDurableOrFailing(lastTicket)
    return state
  }

  /// The public event of a journal record, with its sequence; nil for other records.
  static func published(_ record: JournalRecord) throws -> OmsV1.OrderEvent? {
    let decoded = try OmsV1.JournalRecord(decoding: record.payload)
    guard case .event(let journaled) = decoded.record, var event = journaled.event else {
      return nil
    }
    event.sequence = record.sequence
    event.execution?.sequence = record.sequence
    return event
  }
}
