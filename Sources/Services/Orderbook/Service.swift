package import Calls
internal import Chrono
internal import Contracts
internal import Loop
package import ServiceKit

/// The books per venue and symbol: the single source of truth for prices.
package struct Orderbook: ServiceDefinition {
  package static let name: ServiceName = "orderbook"
  package static let summary =
    "books per venue and symbol: best bid and ask, depth, imbalance, streams"
  package static let needs: [ServiceName] = ["discovery", "auth", "market-connector"]

  private let context: ServiceContext
  private let books: Books
  package let methods: [ServerMethod]

  package init(_ context: ServiceContext, _ config: Config) throws {
    self.context = context
    // Two runs never start in the same nanosecond, so a sequence of another run is told apart.
    self.books = Books(
      config, context.metrics, epoch: UInt64(max(1, context.time.now.nanoseconds)))
    self.methods = Handlers(books: books).methods
  }

  package func start() async throws {
    let feed = context.readiness.require("feed", reason: "no market data yet")
    context.spawn("follow market data") { [books, context] in
      let market = MarketV1.MarketServiceClient(channel: context.channel(to: "market-connector"))
      var options = CallOptions()
      options.waitsForReady = true
      do {
        let venues = try await market.listVenues(.init(), options).venues
          .filter(\.failure.isEmpty).map(\.venue)
        try await withThrowingTaskGroup(of: Void.self) { readers in
          for venue in venues {
            readers.addTask {
              try await Self.learn(venue, market, books, context)
              try await Self.follow(venue, market, books, feed)
            }
          }
          // A reader ends by an error only, and the group then ends the others: all begin anew,
          // each with snapshots.
          try await readers.next()
        }
        throw RPCError(.unavailable, "the market-connector has no venue")
      } catch {
        await books.loseFeed(errorText(error))
        feed.fail(errorText(error))
        throw error
      }
    }
  }

  /// One venue's instruments, as soon as it has told them: the others do not wait for it.
  private static func learn(
    _ venue: String, _ market: MarketV1.MarketServiceClient, _ books: Books,
    _ context: ServiceContext
  ) async throws {
    var request = MarketV1.ListInstrumentsRequest()
    request.venue = venue
    var options = CallOptions()
    options.waitsForReady = true
    while true {
      do {
        return try await books.learn(market.listInstruments(request, options).instruments)
      } catch let error as RPCError where error.code == .unavailable {
        try Task.checkCancellation()
        await context.loop.sleep(for: .seconds(1))
      }
    }
  }

  /// One venue's market data, until its stream ends.
  private static func follow(
    _ venue: String, _ market: MarketV1.MarketServiceClient, _ books: Books,
    _ feed: ReadinessBoard.Requirement
  ) async throws {
    var request = MarketV1.StreamMarketDataRequest()
    request.venue = venue
    let events = try await market.streamMarketData(request)
    defer { events.cancel() }
    while let event = try await events.next() {
      try await books.apply(event)
      feed.hold()
    }
    throw RPCError(.unavailable, "the market-connector ended its stream of \(venue)")
  }
}
