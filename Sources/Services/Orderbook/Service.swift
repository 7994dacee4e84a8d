package import Calls
internal import Contracts
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
    self.books = Books(config, context.metrics)
    self.methods = Handlers(books: books).methods
  }

  package func start() async throws {
    let feed = context.readiness.require("feed", reason: "no market data yet")
    context.spawn("follow market data") { [books, context] in
      let market = MarketV1.MarketServiceClient(channel: context.channel(to: "market-connector"))
      var options = CallOptions()
      options.waitsForReady = true
      do {
        try await books.learn(market.listInstruments(.init(), options).instruments)
        let events = try await market.streamMarketData(.init())
        defer { events.cancel() }
        while let event = try await events.next() {
          try await books.apply(event)
          feed.hold()
        }
        throw RPCError(.unavailable, "the market-connector ended its stream")
      } catch {
        await books.loseFeed(errorText(error))
        feed.fail(errorText(error))
        throw error
      }
    }
  }
}
