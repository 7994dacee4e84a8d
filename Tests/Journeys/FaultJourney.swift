import Foundation
import JSON
import Testing

extension Journeys {
  /// Three exchanges that fail in every way that market data can, and the books that come out of it.
  @Suite(.serialized, .mesh())
  struct `Three exchanges at fault` {
    var mesh: Mesh { .current }

    /// A symbol as we and as its exchange spell it.
    private struct Market: Sendable {
      let venue: String
      let ours: String
      let theirs: String
    }

    private static let markets: [Market] = ["BTC", "ETH", "SOL"].flatMap { base in
      [
        Market(venue: "binance", ours: base + "USDT", theirs: base + "USDT"),
        Market(venue: "kraken", ours: base + "USD", theirs: base + "/USD"),
        Market(venue: "okx", ours: base + "USDT", theirs: base + "-USDT"),
      ]
    }
    private static let venues = ["binance", "kraken", "okx"]

    /// What is counted of a venue.
    private struct Counts: Equatable {
      var gaps = 0
      var checksums = 0
      var reconnections = 0
      var snapshots = 0

      static func + (left: Counts, right: Counts) -> Counts {
        Counts(
          gaps: left.gaps + right.gaps, checksums: left.checksums + right.checksums,
          reconnections: left.reconnections + right.reconnections,
          snapshots: left.snapshots + right.snapshots)
      }
    }

    private func counts() async throws -> [String: Counts] {
      let text = try await REST.get(mesh.url("market-connector", "/metrics")).text
      func value(_ name: String, _ venue: String) -> Int {
        let start = "venue_\(name)_total{venue=\"\(venue)\"} "
        let line = text.split(separator: "\n").first { $0.hasPrefix(start) }
        return line.flatMap { Int($0.dropFirst(start.count)) } ?? -1
      }
      var counts: [String: Counts] = [:]
      for venue in Self.venues {
        counts[venue] = Counts(
          gaps: value("gaps", venue), checksums: value("checksums", venue),
          reconnections: value("reconnections", venue), snapshots: value("snapshots", venue))
      }
      return counts
    }

    private func inject(_ venue: String, _ kind: String, _ more: String = "") async throws {
      _ = try await simulator(
        "InjectFault", #"{"venue":"\#(venue)","kind":"\#(kind)"\#(more)}"#)
    }

    private func simulator(_ method: String, _ request: String) async throws -> JSONDocument {
      let ended = try await mesh.command(
        ["call", "SimulatorService/\(method)", request, "--to", "venue-sim"])
      guard ended.isGood else { throw Failure("call \(method) \(request): \(ended.all)") }
      return try JSONDocument(parsing: ended.output)
    }

    private func inject(_ market: Market, _ kind: String) async throws {
      let count = kind.hasPrefix("BOOK") ? #","count":1"# : ""
      try await inject(market.venue, kind, #","symbol":"\#(market.theirs)"\#(count)"#)
    }

    /// Waits until each venue has counted so much more than before, and no more.
    private func expect(
      _ before: [String: Counts], _ more: [String: Counts],
      sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
      var expected = before
      for (venue, counts) in more { expected[venue] = before[venue].map { $0 + counts } }
      var found = before
      let isSo = try await eventually(within: .seconds(30)) {
        found = try await counts()
        return found == expected
      }
      #expect(isSo, "\(found), expected \(expected)", sourceLocation: sourceLocation)
    }

    /// Halts all markets, holds every book against its exchange's own, level by level, and lets them
    /// go on.
    private func expectSameBooks(sourceLocation: SourceLocation = #_sourceLocation) async throws {
      for market in Self.markets { try await inject(market, "HALT") }
      for market in Self.markets {
        var difference = ""
        let isSame = try await eventually(within: .seconds(30)) {
          difference = try await self.difference(market)
          return difference.isEmpty
        }
        #expect(isSame, "\(market): \(difference)", sourceLocation: sourceLocation)
      }
      for venue in Self.venues { try await inject(venue, "NO_FAULT") }
    }

    /// Empty when the books are the same.
    private func difference(_ market: Market) async throws -> String {
      let theirs = try await simulator(
        "GetSimulatedBook",
        #"{"venue":"\#(market.venue)","symbol":"\#(market.theirs)","levels_max":5000}"#)
      let ours = try await mesh.get("/v1/books/\(market.ours)?depth=5000&venue=\(market.venue)")
      guard ours.status == 200, ours["stale"]?.bool == false, theirs["isHalted"]?.bool == true
      else { return "\(ours.description.prefix(200))" }
      for side in ["bids", "asks"] {
        let (told, known) = (levels(ours[side]), levels(theirs[side]))
        if told != known {
          return "\(side): \(told.count) and \(known.count) levels, the first that differ: "
            + "\(zip(told, known).first { $0 != $1 }.map { "\($0)" } ?? "none")"
        }
      }
      return ""
    }

    private func levels(_ side: JSONValue?) -> [[Int128?]] {
      side?.array?.map { level in
        [units(level["price"]?.string, scale: 8), units(level["quantity"]?.string, scale: 8)]
      } ?? []
    }

    @Test func `MD-03 MD-04 MD-05 lost, late, crossed and spoilt messages leave the right books`()
      async throws
    {
      try await expectSameBooks()
      var before = try await counts()
      for (market, kind) in zip(
        Self.markets, Self.each(["BOOK_GAP", "BOOK_REORDER", "BOOK_CROSSED"]))
      {
        try await inject(market, kind)
      }
      // Kraken has checksums and no numbers; a crossed book shows in itself. Binance alone asks REST.
      try await expect(
        before,
        [
          "binance": Counts(gaps: 3, snapshots: 3), "kraken": Counts(gaps: 1, checksums: 2),
          "okx": Counts(gaps: 3),
        ])
      try await expectSameBooks()

      before = try await counts()
      for market in Self.markets.prefix(3) { try await inject(market, "BOOK_DUPLICATE") }
      try await inject(Self.markets[4], "BOOK_BAD_CHECKSUM")
      for venue in ["binance", "okx"] {
        await #expect(throws: Failure.self) {
          try await inject(
            venue, "BOOK_BAD_CHECKSUM",
            #","symbol":"BTC\#(venue == "okx" ? "-" : "")USDT","count":1"#)
        }
      }
      try await expect(before, ["kraken": Counts(checksums: 1)])
      try await expectSameBooks()
      try await expect(before, ["kraken": Counts(checksums: 1)])
    }

    /// One kind for each symbol at all venues.
    private static func each(_ kinds: [String]) -> [String] {
      kinds.flatMap { Array(repeating: $0, count: venues.count) }
    }

    @Test func `MD-01 MD-03 stalls, lost connections and maintenance leave the right books`()
      async throws
    {
      var before = try await counts()
      // It is in every book: Kraken has five.
      for venue in Self.venues { try await inject(venue, "STREAM_STALL", #","duration":"2s""#) }
      try await expect(
        before,
        [
          "binance": Counts(gaps: 3, snapshots: 3), "kraken": Counts(checksums: 5),
          "okx": Counts(gaps: 3),
        ])
      try await expectSameBooks()

      before = try await counts()
      for venue in Self.venues {
        try await inject(venue, "STREAM_DISCONNECT", #","scope":"PUBLIC_STREAMS""#)
      }
      let again = Counts(reconnections: 1)
      let binance = Counts(reconnections: 1, snapshots: 3)
      try await expect(before, ["binance": binance, "kraken": again, "okx": again])
      try await expectSameBooks()

      before = try await counts()
      for venue in Self.venues { try await inject(venue, "MAINTENANCE", #","duration":"1s""#) }
      try await expect(before, ["binance": binance, "kraken": again, "okx": again])
      try await expectSameBooks()
    }

    @Test func `MD-13 a venue's clock that is ahead is told, and a halt closes an instrument`()
      async throws
    {
      for venue in Self.venues { try await inject(venue, "CLOCK_SKEW", #","skew":"3s""#) }
      for venue in Self.venues {
        let isTold = try await eventually { try await skewed(venue) > 0 }
        #expect(isTold, "\(venue)")
        try await inject(venue, "CLOCK_SKEW", #","skew":"0s""#)
      }
      // Binance tells it with its instruments, once a minute: the other two at once.
      for market in Self.markets.dropFirst().prefix(2) {
        try await inject(market, "HALT")
        #expect(try await eventually { try await isTrading(market) == false }, "\(market)")
        try await inject(market, "RESUME")
        #expect(try await eventually { try await isTrading(market) == true }, "\(market)")
      }
      try await expectSameBooks()
    }

    private func skewed(_ venue: String) async throws -> Int {
      let text = try await REST.get(mesh.url("market-connector", "/metrics")).text
      return text.split(separator: "\n").filter {
        $0.hasPrefix("market_connector_quality_failures_total{") && $0.contains("\"\(venue)\"")
          && $0.contains("\"skewed\"")
      }.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
    }

    private func isTrading(_ market: Market) async throws -> Bool? {
      let listed = try await mesh.call(
        "MarketService/ListInstruments", #"{"venue":"\#(market.venue)"}"#)
      return listed["instruments"]?.array?.first { $0["symbol"]?.string == market.ours }?[
        "trading"]?
        .bool
    }
  }
}
