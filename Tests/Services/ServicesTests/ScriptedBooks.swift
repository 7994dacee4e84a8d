import Calls
import Contracts

/// An orderbook service that streams the tops that the test says.
final class ScriptedBooks: OrderbookV1.OrderbookServiceHandler {
  private let tops = Feed<OrderbookV1.Top>()

  init(bid: String = "49999.99", ask: String = "50000.01") { say(bid: bid, ask: ask) }

  func say(bid: String, ask: String, stale: Bool = false, venue: String = "binance") {
    var top = OrderbookV1.Top()
    top.venue = venue
    top.symbol = "BTCUSDT"
    top.updateId = UInt64(tops.elements.count + 1)
    top.bidPrice = wire(bid)
    top.askPrice = wire(ask)
    top.bidQuantity = wire("3")
    top.askQuantity = wire("3")
    top.stale = stale
    tops.send(top)
  }

  func streamTops(
    _ request: OrderbookV1.StreamTopsRequest, _ responses: Outgoing<OrderbookV1.Top>,
    _ context: ServerContext
  ) async throws {
    for await top in tops.read() { try await responses.send(top) }
  }

  func getBook(
    _ request: OrderbookV1.GetBookRequest, _ context: ServerContext
  ) async throws -> OrderbookV1.Book { throw RPCError(.unimplemented, "") }

  func listBooks(
    _ request: OrderbookV1.ListBooksRequest, _ context: ServerContext
  ) async throws -> OrderbookV1.ListBooksResponse { throw RPCError(.unimplemented, "") }

  func listTrades(
    _ request: OrderbookV1.ListTradesRequest, _ context: ServerContext
  ) async throws -> OrderbookV1.ListTradesResponse { throw RPCError(.unimplemented, "") }

  func streamBook(
    _ request: OrderbookV1.GetBookRequest, _ responses: Outgoing<OrderbookV1.Book>,
    _ context: ServerContext
  ) async throws { throw RPCError(.unimplemented, "") }

  func streamAggregates(
    _ request: OrderbookV1.StreamAggregatesRequest,
    _ responses: Outgoing<OrderbookV1.Aggregate>, _ context: ServerContext
  ) async throws { throw RPCError(.unimplemented, "") }

  func streamBookUpdates(
    _ request: OrderbookV1.StreamBookUpdatesRequest, _ responses: Outgoing<OrderbookV1.BookUpdate>,
    _ context: ServerContext
  ) async throws { throw RPCError(.unimplemented, "") }
}
