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

/// An order may have more fills than Binance puts into one answer.
@Suite struct `Fills of one order at Binance` {
  private static let instrument = Instrument(
    id: InstrumentID(0), venue: VenueID("binance"), symbol: "BTCUSDT", venueSymbol: "BTCUSDT",
    base: "BTC", quote: "USDT", priceScale: 2, quantityScale: 8, tickSize: Price(1),
    lotSize: Quantity(1), minQuantity: Quantity(1), maxQuantity: Quantity(1_000_000_000_000),
    minNotional: .zero)

  /// As documented: from `fromId` on the earliest, without it the latest, a thousand at most.
  private static func page(_ target: String, of ids: [Int]) -> String {
    var parameters: [Substring: Substring] = [:]
    for pair in target.split(separator: "?").last?.split(separator: "&") ?? [] {
      let sides = pair.split(separator: "=", maxSplits: 1)
      parameters[sides[0]] = sides.last
    }
    let limit = parameters["limit"].flatMap { Int($0) } ?? 500
    let found: [Int]
    if let first = parameters["fromId"].flatMap({ Int($0) }) {
      found = Array(ids.filter { $0 >= first }.prefix(limit))
    } else {
      found = ids.suffix(limit)
    }
    let rows = found.map { id in
      #"{"symbol":"BTCUSDT","id":\#(id),"orderId":5,"price":"1.5","qty":"1","commission":"0","#
        + #""commissionAsset":"BNB","isMaker":true,"time":1790000000000}"#
    }
    return "[\(rows.joined(separator: ","))]"
  }

  private func withFills(
    _ ids: [Int],
    _ body: @escaping @Sendable (BinanceOrderEntry, Heard<String>) async throws -> Void
  ) async throws {
    try await withLoop { loop in
      let asked = Heard<String>()
      let venue = try await ScriptedVenue(
        loop,
        answer: { request in
          asked.hear(String(request.target))
          return HTTPResponse(
            status: 200, json: Array(Self.page(String(request.target), of: ids).utf8))
        }, talk: { _, _ in })
      let rest = BinanceREST(
        .spot, venue.settings,
        http: VenueHTTP(
          venue.settings, loop: loop, log: .silent,
          counters: VenueCounters(MetricsRegistry(), venue: "binance")), loop: loop,
        time: SystemTime())
      try await body(
        BinanceOrderEntry(
          venue.settings, rest: rest, instruments: InstrumentDirectory([Self.instrument]),
          RowAlarm()), asked)
      await venue.stop()
    }
  }

  @Test(arguments: [(0, 1), (999, 1), (1_000, 3), (2_345, 4)])
  func `OMS-14 all of them are read, page by page`(_ count: Int, _ questions: Int) async throws {
    // Between them are trades of other orders.
    let ids = (0..<count).map { 7 + 3 * $0 }
    try await withFills(ids) { orders, asked in
      let fills = try await orders.fills(ofOrder: "5", InstrumentID(0))

      #expect(fills.rows.map(\.fill.executionID) == ids.map(String.init) && fills.isWhole)
      #expect(asked.count == questions && asked.all.allSatisfy { $0.contains("orderId=5") })
    }
  }

  @Test func `more of them than a message holds are no list`() async throws {
    try await withFills(Array(1...41_000)) { orders, asked in
      await #expect(throws: VenueError(.overloaded, "more than 40000 fills")) {
        try await orders.fills(ofOrder: "5", InstrumentID(0))
      }
    }
  }
}
