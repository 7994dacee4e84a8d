import Chrono
import JSON
import Loop
import Synchronization
import Telemetry
import TestKit
import Testing
import Transport
import Units
import Venue

@testable import Venues

@Suite struct `Binance's connections` {
  private static let symbols = (0..<100).map { "S\($0)USDT" }

  private static func answer(_ request: HTTPRequest) -> HTTPResponse {
    var text: String
    switch request.path {
    case "/fapi/v1/time":
      text = #"{"serverTime":\#(SystemTime().now.milliseconds)}"#
    case "/fapi/v1/exchangeInfo":
      let listings = symbols.map { symbol in
        #"""
        {"symbol":"\#(symbol)","contractType":"PERPETUAL","status":"TRADING","baseAsset":"S",
        "quoteAsset":"USDT","baseAssetPrecision":8,"filters":[
        {"filterType":"PRICE_FILTER","minPrice":"0.1","maxPrice":"1000","tickSize":"0.1"},
        {"filterType":"LOT_SIZE","minQty":"1","maxQty":"1000","stepSize":"1"},
        {"filterType":"MIN_NOTIONAL","notional":"5"}],"orderTypes":["LIMIT"],"timeInForce":["GTC"]}
        """#
      }
      text = #"{"symbols":[\#(listings.joined(separator: ","))]}"#
    case "/fapi/v1/depth":
      text = #"{"lastUpdateId":10,"E":5,"T":4,"bids":[["1.0","1"]],"asks":[["2.0","1"]]}"#
    default: return .notFound
    }
    return HTTPResponse(status: 200, json: Array(text.utf8))
  }

  /// What each connection has subscribed, in the order of the connections.
  private final class Subscribed: Sendable {
    private let streams = Mutex<[Int: [String]]>([:])
    func add(_ names: [String], _ connection: Int) {
      streams.withLock { $0[connection, default: []] += names }
    }
    var all: [[String]] { streams.withLock { $0.values.sorted { $0.count > $1.count } } }
  }

  /// Acknowledges subscriptions, and for each instrument sends a trade and an update of its book.
  private static func talk(_ socket: WebSocket, _ connection: Int, _ subscribed: Subscribed)
    async throws
  {
    while let message = try await socket.receive() {
      let json = try JSONDocument(parsing: message.bytes).root
      let names = json["params"]?.array?.compactMap(\.string) ?? []
      subscribed.add(names, connection)
      try await socket.send(text: #"{"result":null,"id":\#(json["id"]?.int ?? 0)}"#)
      for name in names where name.hasSuffix("@trade") {
        let symbol = name.dropLast(6).uppercased()
        try await socket.send(
          text:
            #"{"stream":"\#(name)","data":{"e":"trade","E":5,"T":4,"s":"\#(symbol)","t":1,"p":"1.5","q":"2","X":"MARKET","m":true}}"#
        )
        try await socket.send(
          text:
            #"{"e":"depthUpdate","E":5,"T":4,"s":"\#(symbol)","U":9,"u":11,"pu":8,"b":[["1.1","3"]],"a":[]}"#
        )
      }
    }
  }

  @Test func `a hundred instruments of futures are followed over two connections`() async throws {
    let subscribed = Subscribed()
    try await withLoop { loop in
      let venue = try await ScriptedVenue(
        loop, answer: { Self.answer($0) },
        talk: { socket, connection in try await Self.talk(socket, connection, subscribed) })
      var settings = venue.settings
      settings.symbols = Self.symbols
      let session = try KnownVenue.binanceUSDM.session(
        settings, loop: loop, time: SystemTime(), log: .silent, metrics: MetricsRegistry())
      let instruments = try await session.loadInstruments()
      #expect(instruments.map(\.symbol) == Self.symbols)
      let heard = Heard<MarketEvent>()

      await session.start(market: { heard.hear($0) }, account: { _ in })

      // A trade, a snapshot and the update that bridges it.
      #expect(await soon { heard.count >= 300 })
      var (trades, snapshots, deltas) = (Set<Int32>(), Set<Int32>(), Set<Int32>())
      for event in heard.all {
        switch event {
        case .trade(let trade): trades.insert(trade.instrument.index)
        case .snapshot(let snapshot): snapshots.insert(snapshot.instrument.index)
        case .delta(let delta): deltas.insert(delta.instrument.index)
        default: Issue.record("\(event)")
        }
      }
      #expect(trades.count == 100 && snapshots.count == 100 && deltas.count == 100)
      // 200 streams a connection, three an instrument.
      #expect(subscribed.all.map(\.count) == [198, 102])
      #expect(Set(subscribed.all.joined()).count == 300)
      #expect(session.counters.connections.value == 2)
      #expect(session.counters.malformed.value == 0 && session.counters.gaps.value == 0)
      await session.stop()
      await venue.stop()
    }
  }
}
