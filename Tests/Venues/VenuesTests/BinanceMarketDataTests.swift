import Chrono
import JSON
import Loop
import OrderBook
import Telemetry
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

@Suite struct `Binance market data` {
  /// The hearer's own book, as a service behind the connector keeps it.
  private final class Follower {
    let book = SequencedBook()
    var checked = 0
    var differences = 0
    private var tops: [UInt64: TopOfBook] = [:]

    func follow(_ events: [MarketEvent]) {
      for event in events {
        switch event {
        case .snapshot(let snapshot):
          _ = book.apply(snapshot)
          compare()
        case .delta(let delta):
          if book.apply(delta) == .applied { compare() }
        case .top(let top):
          // At one update id the first ticker is the state; equal ones may follow.
          if tops[top.updateID] == nil { tops[top.updateID] = top }
          if top.updateID == book.lastUpdateID { compare() }
        case .stale: book.reset()
        case .trade, .status: break
        }
      }
    }

    private func compare() {
      guard !book.isStale, let top = tops.removeValue(forKey: book.lastUpdateID) else { return }
      checked += 1
      if book.book.bestBid != top.bid || book.book.bestAsk != top.ask { differences += 1 }
    }
  }

  private func bitcoin(_ venue: ConnectedVenue) -> [MarketEvent] {
    venue.market.all.filter { event in
      switch event {
      case .snapshot(let snapshot): snapshot.instrument == ConnectedVenue.bitcoin
      case .delta(let delta): delta.instrument == ConnectedVenue.bitcoin
      case .trade(let trade): trade.instrument == ConnectedVenue.bitcoin
      case .top(let top): top.instrument == ConnectedVenue.bitcoin
      case .stale(let instrument, _): instrument == ConnectedVenue.bitcoin
      case .status(let status): status.instrument == ConnectedVenue.bitcoin
      }
    }
  }

  private func snapshots(_ events: [MarketEvent]) -> Int {
    events.filter { if case .snapshot = $0 { true } else { false } }.count
  }

  @Test(
    .enabled(
      if: RecordedData.isPresent(RecordedData.spot),
      "recorded data is absent: the capture cannot be replayed"))
  func `MD-04 a replayed capture equals its bookTicker at every equal update id`() async throws {
    try await replay([RecordedData.spot], expected: 564)
  }

  private func replay(_ files: [String], expected: Int) async throws {
    let paths = files.compactMap { RecordedData.path($0) }
    var settings = ReplaySettings(symbol: "BTCUSDT", files: paths, speed: .instant)
    settings.isHeld = true
    let held = settings
    try await withLoop { loop in
      let venue = try await ConnectedVenue(
        loop, replays: [held],
        timeout: .seconds(60))
      _ = try await venue.start()
      #expect(venue.market.count == 0)
      try await venue.startReplays()

      // All 3,451 deltas, 28,040 tickers and 9,757 trades arrive, after the subscription's
      // acknowledgement; the few deltas that the snapshot holds already are not told, and it is.
      let counters = venue.session.counters
      #expect(
        await eventually(within: .seconds(120)) {
          guard counters.messages.value == 41_249 else { return false }
          let told = Told(venue.market.all)
          return told.snapshots == 1 && told.tops == 28_040 && told.trades == 9_757
            && (3_442...3_449).contains(told.deltas)
        })
      #expect(await venue.server.isReplayFinished())

      let follower = Follower()
      follower.follow(bitcoin(venue))
      #expect(follower.checked == expected)
      #expect(follower.differences == 0)
      #expect(await venue.depthRequests() == 1)
      #expect(counters.gaps.value == 0)
      #expect(counters.malformed.value == 0)
      await venue.stop()
    }
  }

  @Test(
    .enabled(
      if: RecordedData.isPresent(RecordedData.spot),
      "recorded data is absent: the capture cannot be replayed"))
  func `an order of ours trades with the recorded market`() async throws {
    let path = try #require(RecordedData.path(RecordedData.spot))
    try await withLoop { loop in
      let venue = try await ConnectedVenue(
        loop, replays: [ReplaySettings(symbol: "BTCUSDT", files: [path], speed: .realtime)])
      _ = try await venue.start()
      #expect(await soon { snapshots(bitcoin(venue)) == 1 })

      _ = await venue.session.orders.place(order("take", .buy, 10_000))
      _ = await venue.session.orders.place(order("make", .buy, 1_000, at: 61_837_63))

      #expect(await soon { venue.reports("take").last?.status == .filled })
      let fill = try #require(venue.reports("take").compactMap(\.fill).first)
      #expect(abs(fill.price.raw - 61_837_00) < 100_00)
      await venue.stop()
    }
  }

  @Test(
    .enabled(
      if: RecordedData.isPresent(RecordedData.spot),
      "recorded data is absent: the codec cannot read it"))
  func `every recorded frame is read to the last digit`() throws {
    let path = try #require(RecordedData.path(RecordedData.spot))
    let market = SimulatedMarket.bitcoin
    let capture = try MarketCapture(paths: [path], market: market)
    var codec = BinanceCodec(.spot, [market.instrument])
    let reader = CaptureReader(market)
    var counts: [StreamKind: Int] = [:]

    for index in 0..<capture.count {
      let message = try #require(try capture.message(index))
      guard case .verbatim(let kind, let payload) = message.content else {
        Issue.record("message \(index) is not told as it was")
        continue
      }
      counts[kind, default: 0] += 1
      switch try codec.decode(payload, received: .epoch) {
      // Two readers written apart agree.
      case .depth:
        #expect(kind == .depthFast)
        #expect(try reader.delta(payload) == codec.delta)
      case .trade(let trade):
        #expect(kind == .trade)
        #expect(try reader.trade(payload) == trade)
      case .top: #expect(kind == .bookTicker)
      case .other, .answer, .untraded, .unreadableDepth:
        Issue.record("message \(index) was not understood")
      }
    }

    #expect(counts == [.depthFast: 3_451, .bookTicker: 28_040, .trade: 9_757])
    #expect(capture.snapshot.updateID == 50_093_239_218)
  }
}

/// How many events of each kind were told.
private struct Told {
  var (snapshots, deltas, tops, trades) = (0, 0, 0, 0)

  init(_ events: [MarketEvent]) {
    for event in events {
      switch event {
      case .snapshot: snapshots += 1
      case .delta: deltas += 1
      case .top: tops += 1
      case .trade: trades += 1
      case .stale, .status: break
      }
    }
  }
}
