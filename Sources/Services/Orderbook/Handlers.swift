internal import Calls
internal import Contracts
internal import Wire

struct Handlers: OrderbookV1.OrderbookServiceHandler {
  let books: Books

  func getBook(
    _ request: OrderbookV1.GetBookRequest, _ context: ServerContext
  ) async throws -> OrderbookV1.Book {
    try await books.book(request)
  }

  func listBooks(
    _ request: OrderbookV1.ListBooksRequest, _ context: ServerContext
  ) async throws -> OrderbookV1.ListBooksResponse {
    var response = OrderbookV1.ListBooksResponse()
    response.books = await books.tops([])
    return response
  }

  func listTrades(
    _ request: OrderbookV1.ListTradesRequest, _ context: ServerContext
  ) async throws -> OrderbookV1.ListTradesResponse {
    var response = OrderbookV1.ListTradesResponse()
    response.trades = try await books.trades(request)
    return response
  }

  func streamBook(
    _ request: OrderbookV1.GetBookRequest, _ responses: Outgoing<OrderbookV1.Book>,
    _ context: ServerContext
  ) async throws {
    try await follow { known in
      let version = try await books.version(of: request)
      guard version > known else { return }
      try await responses.send(books.book(request))
    }
  }

  func streamTops(
    _ request: OrderbookV1.StreamTopsRequest, _ responses: Outgoing<OrderbookV1.Top>,
    _ context: ServerContext
  ) async throws {
    try await books.check(request.symbols)
    let symbols = Set(request.symbols)
    try await follow { known in
      for top in await books.tops(symbols, after: known) { try await responses.send(top) }
    }
  }

  func streamAggregates(
    _ request: OrderbookV1.StreamAggregatesRequest,
    _ responses: Outgoing<OrderbookV1.Aggregate>, _ context: ServerContext
  ) async throws {
    try await books.check(request.symbols)
    let symbols = Set(request.symbols)
    try await follow { known in
      for aggregate in await books.aggregates(symbols, after: known) {
        try await responses.send(aggregate)
      }
    }
  }

  func streamBookUpdates(
    _ request: OrderbookV1.StreamBookUpdatesRequest, _ responses: Outgoing<OrderbookV1.BookUpdate>,
    _ context: ServerContext
  ) async throws {
    try await books.check([request.symbol])
    var (sequence, epoch) = (request.afterSequence, request.epoch)
    try await follow { _ in
      while true {
        let updates = try await books.updates(request.symbol, after: sequence, epoch: epoch)
        guard let last = updates.last else { return }
        for update in updates { try await responses.send(update) }
        (sequence, epoch) = (last.sequence, last.epoch)
      }
    }
  }

  /// Runs `send` with the version that the reader has seen, now and after each change, until the
  /// call ends. While a slow reader holds it up, changes gather and only the newest state is sent.
  private func follow(_ send: (UInt64) async throws -> Void) async throws {
    try await books.subscribe()
    do {
      var known: UInt64 = 0
      while !Task.isCancelled {
        let newest = await books.change(after: known)
        try await send(known)
        known = newest
      }
      throw RPCError(.cancelled, "the reader is gone")
    } catch {
      await books.unsubscribe()
      throw error
    }
  }
}
