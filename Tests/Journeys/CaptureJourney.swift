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

    @Test
    func `every venue of the simulator is recorded; what cannot be played is refused at once`()
      async throws
    {
      let file = "\(mesh.state)/kraken.sqr"
      let recorded = try await capture([file, "--venue", "kraken", "--for", "1s"])
      let okx = try await capture(["\(mesh.state)/okx.sqr", "--venue", "okx", "--for", "1s"])
      let futures = try await capture(["\(mesh.state)/usdm.sqr", "--venue", "binance-usdm"])
      let refused = try await run(
        mesh.program, ["up", "--state", "\(mesh.state)-none", "--replay", file], within: 10)

      #expect(recorded.isGood && recorded.all.contains("BTCUSD"), "\(recorded.all)")
      #expect(okx.isGood, "\(okx.all)")
      #expect(futures.status == 2 && futures.all.contains("--live"))
      #expect(refused.status == 1 && refused.all.contains("is a recording of kraken"))
    }
  }
}
