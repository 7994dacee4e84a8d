import Calls
import Contracts
import Loop
import OrderbookService
import ServiceKit
import Telemetry
import TestKit
import Testing
import Wire

/// A market-connector with two venues that lists BTCUSDT at both and streams what the test says.
private final class TwoVenues: MarketV1.MarketServiceHandler {
  let feeds = ["binance": Feed<MarketV1.MarketEvent>(), "kraken": Feed<MarketV1.MarketEvent>()]

  func say(_ venue: String, _ event: MarketV1.MarketEvent.Event, quality: UInt32 = 0) {
    var message = MarketV1.MarketEvent()
    message.quality = quality
    message.venue = venue
    message.symbol = "BTCUSDT"
    message.event = event
    feeds[venue]!.send(message)
  }

  func snapshot(_ venue: String, _ id: UInt64, bid: (Int64, Int64), ask: (Int64, Int64)) {
    var snapshot = MarketV1.BookSnapshot()
    snapshot.updateId = id
    snapshot.bids = [Self.level(bid)]
    snapshot.asks = [Self.level(ask)]
    say(venue, .snapshot(snapshot))
  }

  func bid(
    _ venue: String, _ id: UInt64, _ price: Int64, _ quantity: Int64, quality: UInt32 = 0
  ) {
    var delta = MarketV1.BookDelta()
    delta.firstUpdateId = id
    delta.lastUpdateId = id
    delta.bids = [Self.level((price, quantity))]
    say(venue, .delta(delta), quality: quality)
  }

  func stale(_ venue: String, _ reason: String) {
    var stale = MarketV1.BookStale()
    stale.reason = reason
    say(venue, .stale(stale))
  }

  static func level(_ pair: (Int64, Int64)) -> MarketV1.Level {
    var level = MarketV1.Level()
    level.price = pair.0
    level.quantity = pair.1
    return level
  }

  func listInstruments(
    _ request: MarketV1.ListInstrumentsRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListInstrumentsResponse {
    var response = MarketV1.ListInstrumentsResponse()
    var kraken = bitcoin(venue: "kraken")
    kraken.priceScale = 1
    kraken.quantityScale = 8
    kraken.tickSize = wire("0.1")
    response.instruments = [bitcoin(), kraken, bitcoin(symbol: "BTCEUR")]
    return response
  }

  func listVenues(
    _ request: MarketV1.ListVenuesRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListVenuesResponse {
    var response = MarketV1.ListVenuesResponse()
    response.venues = feeds.keys.sorted().map { name in
      var venue = MarketV1.Venue()
      venue.venue = name
      return venue
    }
    return response
  }

  func streamNotices(
    _ request: MarketV1.StreamNoticesRequest, _ responses: Outgoing<MarketV1.MarketNotice>,
    _ context: ServerContext
  ) async throws { throw RPCError(.unimplemented, "") }

  func getVenue(
    _ request: MarketV1.GetVenueRequest, _ context: ServerContext
  ) async throws -> MarketV1.Venue { throw RPCError(.unimplemented, "") }

  func getVenueHealth(
    _ request: MarketV1.GetVenueHealthRequest, _ context: ServerContext
  ) async throws -> MarketV1.VenueHealth { throw RPCError(.unimplemented, "") }

  func streamMarketData(
    _ request: MarketV1.StreamMarketDataRequest, _ responses: Outgoing<MarketV1.MarketEvent>,
    _ context: ServerContext
  ) async throws {
    for await event in feeds[request.venue]!.read() { try await responses.send(event) }
  }
}

private struct Desk: Sendable {
  let market: TwoVenues
  let running: RunningService<Orderbook>

  var books: OrderbookV1.OrderbookServiceClient { .init(channel: running.channel) }

  func book(venue: String = "", depth: UInt32 = 0, group: String? = nil) async throws
    -> OrderbookV1.Book
  {
    var request = OrderbookV1.GetBookRequest()
    request.symbol = "BTCUSDT"
    request.venue = venue
    request.depth = depth
    request.group = group.map { wire($0) }
    return try await books.getBook(request)
  }

  /// Waits until the symbol's sequence has come so far.
  func reaches(_ sequence: UInt64) async -> Bool {
    await eventually {
      do { return try await book(venue: "binance").sequence >= sequence } catch { return false }
    }
  }

  func stream(
    after: UInt64 = 0, epoch: UInt64 = 0
  ) async throws -> ClientCall<OrderbookV1.StreamBookUpdatesRequest, OrderbookV1.BookUpdate> {
    var request = OrderbookV1.StreamBookUpdatesRequest()
    request.symbol = "BTCUSDT"
    request.afterSequence = after
    request.epoch = epoch
    return try await books.streamBookUpdates(request)
  }
}

/// Both venues have a snapshot: sequence 2.
private func withDesk(
  _ settings: [String] = [], _ body: @escaping @Sendable (Desk) async throws -> Void
) async throws {
  try await withLoop { loop in
    let world = try ServiceWorld(loop)
    let market = TwoVenues()
    world.serve("market-connector", market.methods)
    let running = try await world.start(Orderbook.self, settings)
    let desk = Desk(market: market, running: running)
    do {
      market.snapshot("binance", 10, bid: (50_000_10, 300_000), ask: (50_000_30, 100_000))
      market.snapshot("kraken", 20, bid: (50_000_1, 50_000_000), ask: (50_000_4, 70_000_000))
      try #require(await desk.reaches(2))
      try await body(desk)
    } catch {
      await running.end()
      throw error
    }
    await running.end()
  }
}

@Suite struct `Books to their readers` {
  @Test func `MD-08 without a venue the book is that of all venues, with sizes by venue`()
    async throws
  {
    try await withDesk { desk in
      let all = try await desk.book()
      #expect(all.venue.isEmpty && !all.stale && all.quality.isEmpty)
      #expect(all.bids.map { text($0.price) } == ["50000.1"])
      #expect(text(all.bids[0].quantity) == "3.5")
      #expect(all.bids[0].byVenue.map(\.venue) == ["binance", "kraken"])
      #expect(all.bids[0].byVenue.map { text($0.quantity) } == ["3", "0.5"])
      #expect(all.asks.map { text($0.price) } == ["50000.3", "50000.4"])
      #expect(text(all.mid) == "50000.2" && text(all.spread) == "0.2")
      let grouped = try await desk.book(group: "1")
      #expect(grouped.bids.map { text($0.price) } == ["50000"])
      #expect(grouped.asks.map { text($0.quantity) } == ["1.7"])
      let one = try await desk.book(venue: "kraken")
      #expect(one.venue == "kraken" && one.updateId == 20 && one.bids[0].byVenue.isEmpty)
      let wrong = await refusal { try await desk.book(group: "0.001") }
      #expect(wrong.code == .invalidArgument && wrong.fields == ["group"])
    }
  }

  @Test func `MD-08 a stale venue leaves the book of all at once and comes back with its snapshot`()
    async throws
  {
    try await withDesk { desk in
      let before = try await desk.book()
      desk.market.stale("binance", "gap: expected update 11, found 15")
      try #require(await desk.reaches(3))
      let without = try await desk.book()
      #expect(without.quality == ["partial"] && !without.stale)
      #expect(without.bids[0].byVenue.map(\.venue) == ["kraken"])
      #expect(without.venues.map(\.stale) == [true, false])
      #expect(without.venues[0].staleReason.hasPrefix("gap"))
      #expect(without.hash != before.hash)
      let one = try await desk.book(venue: "binance")
      #expect(one.stale && one.quality == ["tainted"])
      desk.market.stale("kraken", "silent")
      try #require(await desk.reaches(4))
      #expect(try await desk.book().stale)
      desk.market.snapshot("kraken", 20, bid: (50_000_1, 50_000_000), ask: (50_000_4, 70_000_000))
      desk.market.snapshot("binance", 30, bid: (50_000_10, 300_000), ask: (50_000_30, 100_000))
      try #require(await desk.reaches(6))
      let back = try await desk.book()
      #expect(back.hash == before.hash && back.quality.isEmpty && back.sequence == 6)
    }
  }

  @Test func `MD-15 the connector's bits are kept for each venue, and told`() async throws {
    try await withDesk { desk in
      desk.market.bid("binance", 11, 50_000_00, 1, quality: 16)
      try #require(await desk.reaches(3))
      let one = try await desk.book(venue: "binance")
      #expect(one.quality == ["wide_spread"] && !one.stale)
      // It is told of the venue, which stays in the book of all: only a tainted one is left out.
      let all = try await desk.book()
      #expect(all.quality.isEmpty && all.bids[0].byVenue.map(\.venue) == ["binance", "kraken"])
      #expect(all.venues.map(\.quality) == [["wide_spread"], []])
      // A trade that changes what is thought of the market changes no book, and is told.
      let tops = try await desk.books.streamTops(.init())
      var top = try #require(try await tops.next())
      while top.venue != "binance" { top = try #require(try await tops.next()) }
      #expect(top.quality == 16)
      var trade = MarketV1.Trade()
      trade.tradeId = 1
      desk.market.say("binance", .trade(trade), quality: 48)
      let told = try #require(try await tops.next())
      #expect(told.venue == "binance" && told.quality == 48 && told.updateId == 11)
      #expect(try await desk.book(venue: "binance").quality == ["wide_spread", "price_jump"])
      #expect(try await desk.book().sequence == 3)
      tops.cancel()
    }
  }

  @Test func `MD-08 md.agg tells the best prices of all venues after each change`() async throws {
    try await withDesk { desk in
      var request = OrderbookV1.StreamAggregatesRequest()
      request.symbols = ["BTCUSDT"]
      let stream = try await desk.books.streamAggregates(request)
      func next() async throws -> OrderbookV1.Aggregate {
        try #require(try await stream.next())
      }
      let first = try await next()
      #expect(first.subject == "md.agg.BTCUSDT" && first.symbol == "BTCUSDT")
      #expect(first.sequence == 2 && !first.stale && first.quality.isEmpty)
      #expect(text(first.bid?.price) == "50000.1" && text(first.bid?.quantity) == "3.5")
      #expect(first.bid?.byVenue.map(\.venue) == ["binance", "kraken"])
      #expect(text(first.ask?.price) == "50000.3")
      #expect(first.ask?.byVenue.map(\.venue) == ["binance"])

      desk.market.bid("kraken", 21, 50_000_2, 10_000_000)
      let better = try await next()
      #expect(text(better.bid?.price) == "50000.2" && better.sequence == 3)
      #expect(better.bid?.byVenue.map(\.venue) == ["kraken"])

      desk.market.stale("kraken", "gap")
      let without = try await next()
      #expect(without.quality == ["partial"] && text(without.bid?.price) == "50000.1")
      #expect(without.bid?.byVenue.map(\.venue) == ["binance"])
      #expect(without.venues.map(\.venue) == ["binance", "kraken"])
      #expect(without.venues.map(\.quality) == [[], ["tainted"]])

      desk.market.stale("binance", "gap")
      let none = try await next()
      #expect(none.stale && none.quality == ["tainted"] && none.bid == nil && none.ask == nil)
      stream.cancel()
    }
  }

  @Test func `MD-08 md.agg of a symbol that one venue lists is that venue's`() async throws {
    try await withDesk { desk in
      var request = OrderbookV1.StreamAggregatesRequest()
      request.symbols = ["BTCEUR"]
      let stream = try await desk.books.streamAggregates(request)
      var message = MarketV1.MarketEvent()
      message.venue = "binance"
      message.symbol = "BTCEUR"
      var snapshot = MarketV1.BookSnapshot()
      snapshot.updateId = 5
      snapshot.bids = [TwoVenues.level((40_000_10, 100_000))]
      message.event = .snapshot(snapshot)
      message.quality = 128
      desk.market.feeds["binance"]!.send(message)
      let told = try #require(try await stream.next())
      #expect(told.subject == "md.agg.BTCEUR" && text(told.bid?.price) == "40000.1")
      #expect(told.bid?.byVenue.map(\.venue) == ["binance"] && told.ask == nil)
      #expect(told.quality == ["one_sided"] && !told.stale)
      stream.cancel()
      request.symbols = ["NOPE"]
      let asked = request
      let error = await refusal {
        let stream = try await desk.books.streamAggregates(asked)
        return try await stream.next()
      }
      #expect(error.code == .invalidArgument)
    }
  }

  @Test func `MD-10 every subscriber gets the same sequence of updates without a hole`()
    async throws
  {
    try await withDesk { desk in
      var readers: [ClientCall<OrderbookV1.StreamBookUpdatesRequest, OrderbookV1.BookUpdate>] = []
      var firsts: [OrderbookV1.BookUpdate] = []
      for _ in 0..<5 {
        let reader = try await desk.stream()
        firsts.append(try #require(try await reader.next()))
        readers.append(reader)
      }
      #expect(firsts.allSatisfy { $0 == firsts[0] && $0.snapshot && $0.sequence == 2 })
      #expect(firsts[0].venues.map(\.venue) == ["binance", "kraken"])
      for id in UInt64(11)...310 { desk.market.bid("binance", id, 50_000_00, Int64(id)) }
      var told: [[OrderbookV1.BookUpdate]] = []
      for reader in readers {
        var updates: [OrderbookV1.BookUpdate] = []
        while updates.count < 300 { updates.append(try #require(try await reader.next())) }
        told.append(updates)
        reader.cancel()
      }
      #expect(told[0].map(\.sequence) == Array(3...302))
      #expect(told[0].allSatisfy { !$0.snapshot && $0.venues.count == 1 })
      #expect(told.allSatisfy { $0 == told[0] })
      let hashed = told[0].filter { $0.venues[0].hash != 0 }
      #expect(hashed.map(\.sequence) == [100, 200, 300])
    }
  }

  @Test
  func `MD-10 a reader resumes where it was, or is given a snapshot when that is kept no more`()
    async throws
  {
    try await withDesk(["orderbook.history_max=4"]) { desk in
      for id in UInt64(11)...18 { desk.market.bid("binance", id, 50_000_00, Int64(id)) }
      try #require(await desk.reaches(10))
      let epoch = try await desk.book().epoch
      let kept = try await desk.stream(after: 6, epoch: epoch)
      for sequence in UInt64(7)...10 {
        let update = try #require(try await kept.next())
        #expect(update.sequence == sequence && !update.snapshot && update.epoch == epoch)
        #expect(update.venues.map(\.updateId) == [sequence + 8])
      }
      kept.cancel()
      for (after, run) in [(UInt64(5), epoch), (9, epoch &+ 1), (99, epoch)] {
        let lost = try await desk.stream(after: after, epoch: run)
        let first = try #require(try await lost.next())
        #expect(
          first.snapshot && first.sequence == 10 && first.venues.filter(\.replaces).count == 2)
        let binance = try await desk.book(venue: "binance")
        #expect(first.venues[0].hash == binance.hash)
        #expect(text(first.venues[0].bids.last?.quantity) == "0.00018")
        lost.cancel()
      }
    }
  }

  @Test
  func `TST-04 a reader that stands still costs the history and gets a snapshot, others none`()
    async throws
  {
    try await withDesk(["orderbook.history_max=64"]) { desk in
      let asleep = try await desk.stream()
      let awake = try await desk.stream()
      #expect(try #require(try await asleep.next()).snapshot)
      #expect(try #require(try await awake.next()).sequence == 2)
      // Each is read before the next is said, by the one who is awake.
      for id in UInt64(11)...3_010 {
        desk.market.bid("binance", id, 50_000_00, Int64(id))
        let update = try #require(try await awake.next())
        #expect(update.sequence == id - 8 && !update.snapshot)
      }
      var last: OrderbookV1.BookUpdate?
      var snapshots = 0
      while last?.sequence != 3_002 {
        let update = try #require(try await asleep.next())
        if update.snapshot {
          snapshots += 1
        } else {
          #expect(update.sequence == (last?.sequence ?? 2) + 1)
        }
        last = update
      }
      #expect(snapshots == 1)
      let restarted = desk.running.context.metrics.counters(
        "orderbook_readers_restarted_total",
        help: "Readers of updates that were over history_max behind, and got a snapshot.",
        labels: ["symbol"])
      #expect(restarted.with("BTCUSDT").value == 1)
      asleep.cancel()
      awake.cancel()
    }
  }

  @Test func `OB-07 no call of the service changes a book`() async throws {
    try await withDesk { desk in
      let changing = desk.running.service.methods.filter { !$0.descriptor.isIdempotent }
      #expect(changing.isEmpty)
      let unknown = await refusal {
        var request = OrderbookV1.StreamBookUpdatesRequest()
        request.symbol = "NONE"
        _ = try await desk.books.streamBookUpdates(request).next()
      }
      #expect(unknown.code == .invalidArgument && unknown.fields == ["symbol"])
    }
  }
}
