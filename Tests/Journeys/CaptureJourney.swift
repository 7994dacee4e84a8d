import Foundation
import JSON
import Testing

extension Journeys {
  /// A recording of one mesh's venue, played by another.
  @Suite(.serialized, .mesh())
  struct `A market recorded` {
    var mesh: Mesh { .current }

    private func capture(_ words: [String]) async throws -> Ended {
      try await run(
        mesh.program, ["capture"] + words + ["--state", mesh.state], within: 30)
    }

    @Test func `MD-23 what capture writes is played back to the same book`() async throws {
      let file = "\(mesh.state)/tape.sqr"
      let recorded = try await capture([file, "--symbols", "ETHUSDT,BTCUSDT", "--for", "3s"])
      #expect(recorded.isGood, "\(recorded.all)")
      let text = try await run("zstdcat", [file])
      let last = try #require(
        text.output.split(separator: "\n").last {
          $0.contains(" < ") && $0.contains("ethusdt@depth@100ms")
        })
      let json = try #require(last.split(separator: " ", maxSplits: 3).last)
      let end = try JSONDocument(parsing: String(json))["data"]?["u"]?.uint64

      let replay = try await Mesh.up(["--replay", file, "--replay-speed", "instant"])
      let isOver = try await eventually(within: .seconds(60)) {
        try await replay.get("/v1/books/ETHUSDT?depth=1").text("updateId") == "\(end ?? 0)"
      }
      let book = try await replay.get("/v1/books/ETHUSDT?depth=1")
      await replay.down()
      #expect(isOver, "the last update id is \(String(describing: end)): \(book)")
    }

    @Test func `a capture says what is wrong before it writes`() async throws {
      let file = "\(mesh.state)/refused.sqr"

      let unlisted = try await capture([file, "--symbols", "BTCUSDT,NOPE"])
      let unknown = try await capture([file, "--venue", "binanse"])
      let there = try await capture([Project.root + "/README.md", "--for", "1s"])

      #expect(unlisted.status == 2 && unlisted.all.contains("does not list NOPE"))
      #expect(unknown.status == 2 && unknown.all.contains("binance"))
      #expect(there.status == 1 && there.all.contains("File exists"))
      #expect(!FileManager.default.fileExists(atPath: file))
    }

    /// What the recording says last of a book: its number, and a level that stands.
    private func end(
      _ file: String, _ symbol: String
    ) async throws -> (number: UInt64?, price: String, quantity: String) {
      let text = try await run("zstdcat", [file])
      var number: UInt64?
      // The newest last; what is taken away later does not stand.
      var standing: [(price: String, quantity: String)] = []
      for line in text.output.split(separator: "\n")
      where line.contains(" < ") && line.contains("\"\(symbol)\"") {
        guard line.contains("\"book\"") || line.contains("\"books\""),
          let frame = line.split(separator: " ", maxSplits: 3).last
        else { continue }
        let data = try JSONDocument(parsing: String(frame))["data"]?[0]
        number = data?["seqId"]?.uint64 ?? number
        for level in data?["bids"]?.array?.map({ $0 }) ?? [] {
          let price = level["price"]?.numberText ?? level[0]?.string
          let quantity = level["qty"]?.numberText ?? level[1]?.string
          guard let price, let quantity else { continue }
          standing.removeAll { units($0.price, scale: 8) == units(price, scale: 8) }
          if Double(quantity) != 0 { standing.append((price, quantity)) }
        }
      }
      let last = try #require(standing.last)
      return (number, last.price, last.quantity)
    }

    @Test(arguments: [
      ("kraken", "ETH/USD", "ETHUSD"), ("okx", "ETH-USDT", "ETHUSDT"),
    ])
    func `MD-23 what capture writes at Kraken and OKX is played back to the same book`(
      venue: String, listed: String, symbol: String
    ) async throws {
      let file = "\(mesh.state)/\(venue).sqr"
      let recorded = try await capture(
        [file, "--venue", venue, "--symbols", symbol, "--for", "3s"])
      #expect(recorded.isGood, "\(recorded.all)")
      let end = try await end(file, listed)

      let replay = try await Mesh.up(["--replay", file, "--replay-speed", "instant"])
      let isOver = try await eventually(within: .seconds(60)) {
        let book = try await replay.get("/v1/books/\(symbol)?depth=1000&venue=\(venue)")
        let level = book["bids"]?.array?.first {
          units($0["price"]?.string, scale: 8) == units(end.price, scale: 8)
        }
        return units(level?["quantity"]?.string, scale: 8) == units(end.quantity, scale: 8)
          && (end.number == nil || book.text("updateId") == "\(end.number ?? 0)")
      }
      let book = try await replay.get("/v1/books/\(symbol)?depth=5&venue=\(venue)")
      let health = try await replay.get("/v1/venues/\(venue)/health")
      await replay.down()
      #expect(isOver, "the recording ends with \(end): \(book)")
      #expect(health["gaps"]?.string ?? "0" == "0", "\(health)")
    }

    @Test func `a venue that the simulator does not speak is recorded live only`() async throws {
      let futures = try await capture(["\(mesh.state)/usdm.sqr", "--venue", "binance-usdm"])
      #expect(futures.status == 2 && futures.all.contains("--live"))
    }
  }
}
