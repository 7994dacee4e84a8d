import Chrono
import JSON
import Loop
import OrderBook
import SimulatorKit
import Telemetry
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// Kraken's books by orders: every order in its queue, checked by the venue's checksum over orders.
@Suite(.serialized) struct BookByOrderTests {
  private static let instrument = Instrument.kraken("BTC/USD", priceScale: 1)

  private func feed(depth: Int) -> KrakenFeed {
    let feed = KrakenFeed(
      [Self.instrument], depth: depth, channels: .orders(token: { "a token" }))
    var output = FeedOutput()
    feed.opened(at: DialectClient.start, &output)
    return feed
  }

  /// The example of docs.kraken.com/api/docs/guides/spot-ws-l3-v2: price and quantity by queue.
  private static let bids = [
    ("44939.4", "0.88968699"), ("44939.4", "0.45210000"), ("44939.4", "0.10000000"),
    ("44939.4", "0.14296323"), ("44939.4", "0.25000000"), ("44939.4", "0.10292988"),
    ("44939.4", "0.33880000"), ("44939.4", "1.28140860"), ("44937.1", "0.03346877"),
    ("44934.7", "0.35630000"), ("44930.2", "0.22734299"), ("44930.2", "0.01000000"),
    ("44930.2", "0.05550000"), ("44930.2", "0.70000000"), ("44930.2", "0.15000000"),
    ("44928.0", "0.00105240"), ("44919.6", "0.33870000"), ("44919.5", "0.07610000"),
    ("44912.0", "0.35630000"), ("44909.7", "0.06690000"), ("44901.9", "0.00088982"),
  ]
  private static let asks = [
    ("44939.5", "4.52308393"), ("44939.5", "0.00111261"), ("44939.5", "0.00100000"),
    ("44939.5", "0.01000000"), ("44950.0", "0.10334926"), ("44953.0", "0.00064537"),
    ("44955.0", "0.00250000"), ("44959.6", "0.35630000"), ("44959.6", "0.35630000"),
    ("44960.1", "0.00338072"), ("44960.2", "0.88967575"), ("44967.0", "3.14392283"),
    ("44978.5", "0.06778960"), ("44979.2", "0.35630000"),
  ]

  private static func snapshot(
    _ bids: [(String, String)], _ asks: [(String, String)], checksum: UInt32
  ) -> [UInt8] {
    func rows(_ side: String, _ orders: [(String, String)]) -> String {
      orders.enumerated().map { place, order in
        #"{"order_id":"O\#(side)\#(place)","limit_price":\#(order.0),"order_qty":\#(order.1)}"#
      }.joined(separator: ",")
    }
    let text =
      #"{"channel":"level3","type":"snapshot","data":[{"symbol":"BTC/USD","checksum":\#(checksum),"#
      + #""bids":[\#(rows("B", bids))],"asks":[\#(rows("A", asks))]}]}"#
    return Array(text.utf8)
  }

  @Test func `OB-06 MD-05 the published example of the checksum over orders is ours`() {
    let feed = feed(depth: 10)
    var output = FeedOutput()
    feed.receive(
      Self.snapshot(Self.bids, Self.asks, checksum: 1_063_832_831), at: DialectClient.start,
      &output)
    #expect(output.faults.isEmpty && output.events.count == 1)
    #expect(feed.orderBook(of: Self.instrument.id)?.queue(.buy, at: Price(449_394)).count == 8)

    // Two orders of one price in each other's place: the levels are the same, the queue is not.
    var swapped = Self.bids
    swapped.swapAt(2, 3)
    output.removeAll()
    feed.receive(
      Self.snapshot(swapped, Self.asks, checksum: 1_063_832_831), at: DialectClient.start, &output)
    guard case .checksum? = output.faults.first else {
      Issue.record("a wrong queue was believed: \(output.faults)")
      return
    }
  }

  @Test(arguments: [10, 100, 1_000])
  func `OB-06 every queue is the exchange's after each message`(depth: Int) throws {
    var client = try KrakenClient()
    client.venue.exchange.markets[0].tellsOrders = true
    var voice = KrakenVoice(client.venue.exchange)
    let feed = feed(depth: depth)
    let book = try #require(feed.orderBook(of: Self.instrument.id))
    var output = FeedOutput()
    feed.receive(
      voice.orderSnapshot(market: 0, depth: depth, client.venue.exchange), at: client.now, &output)
    var compared = 0
    for _ in 0..<300 {
      client.now = client.now + .milliseconds(100)
      client.venue.exchange.advance(to: client.now)
      for delivery in client.venue.takeDeliveries(now: client.now) {
        for message in voice.messages(of: delivery, client.venue.exchange) {
          guard case .orders(0, depth) = message.channel else { continue }
          feed.receive(message.payload, at: client.now, &output)
        }
      }
      for side in Side.allCases {
        let view = OrderView(
          depth: depth, bids: client.venue.exchange.markets[0].engine.orders(.buy),
          asks: client.venue.exchange.markets[0].engine.orders(.sell))
        let theirs = side == .buy ? view.bids : view.asks
        var ours: [String] = []
        book.levels.forEachLevel(side) { level in
          for order in book.queue(side, at: level.price) {
            ours.append("\(order.name) \(level.price.raw) \(order.remaining.raw)")
          }
          return true
        }
        #expect(
          ours
            == theirs.map {
              "\(KrakenID.text($0.orderID, "O")) \($0.price.raw) \($0.remaining.raw)"
            })
        compared += ours.count
      }
    }
    #expect(output.faults.isEmpty && book.isWhole && compared > 300 * 2 * min(depth, 50))
  }

  @Test(arguments: [BookFault.gap, .reorder, .crossed, .badChecksum])
  func `OB-06 MD-03 MD-05 a fault of a book by orders is found and healed by one subscription`(
    _ fault: BookFault
  ) async throws {
    try await withLoop { loop in
      let venue = try await SteppedVenue(loop, .kraken, isByOrder: true)
      try await venue.begin()
      let before = venue.book
      let requests = await venue.snapshotRequests()
      #expect(requests == 1)
      try await venue.inject(fault)
      for _ in 0..<30 where venue.book.staleReasons.isEmpty {
        try await venue.step()
        #expect(try await venue.settles())
      }
      #expect(try await venue.agreesSoon())
      let healed = venue.book
      #expect(healed.staleReasons.count == 1 && healed.mergedOntoStale == 0)
      #expect(healed.deltas == before.deltas && healed.snapshots == before.snapshots + 1)
      #expect(await venue.snapshotRequests() == requests + 1)
      for _ in 0..<10 { try await venue.step() }
      #expect(try await venue.agreesSoon())
      #expect(venue.book.staleReasons.count == 1 && venue.etherBook.staleReasons.isEmpty)
      #expect(venue.counters.reconnections.value == 0)
      await venue.stop()
    }
  }

  @Test func `OB-06 a new connection has a new token, and trades go on beside the books`()
    async throws
  {
    try await withLoop { loop in
      let venue = try await SteppedVenue(loop, .kraken, isByOrder: true)
      try await venue.begin()
      let tokens = await self.tokens(venue)
      try await venue.connected.fault(.disconnect(.publicStreams))
      #expect(await soon { venue.counters.reconnections.value == 2 })
      #expect(try await venue.recovers())
      #expect(await self.tokens(venue) > tokens)
      for _ in 0..<100 where venue.book.trades.isEmpty {
        try await venue.step()
        #expect(try await venue.settles())
      }
      #expect(await soon { !venue.book.trades.isEmpty })
      await venue.stop()
    }
  }

  private func tokens(_ venue: SteppedVenue) async -> Int {
    await venue.connected.server.requestCounts()["POST /0/private/GetWebSocketsToken"] ?? 0
  }
}
