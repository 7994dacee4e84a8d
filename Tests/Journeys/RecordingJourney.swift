import Foundation
import Testing

extension Journeys {
  /// Recordings played through the adapters by one command.
  @Suite(.serialized) struct `Recordings checked` {
    /// Files, and the program's last line.
    static let recordings: [(files: [String], verdict: String)] = [
      (
        ["binance/spot_btcusdt_20240808.gz", "binance/spot_btcusdt_20240809.gz"],
        "6493 updates in sequence, 0 checksums equal and 0 not, 1072 best prices compared and 0"
      ),
      (
        ["binance/cf_BINANCE_FUTURES-1125a2.0.zst"],
        "4395 updates in sequence, 0 checksums equal and 0 not, 215 best prices compared and 0"
      ),
      (
        ["binance/usdm_ethusdt_20240808.gz"],
        "6581 updates in sequence, 0 checksums equal and 0 not, 551 best prices compared and 0"
      ),
      (
        ["kraken/v1_20210405_book1000_KRAKEN-c197c0.0.zst"],
        "14496 updates in sequence, 14496 checksums equal and 0 not, 0 best prices compared and 0"
      ),
      (
        ["kraken/v2_btcusd_depth25_20260802.log"],
        "2051 updates in sequence, 2052 checksums equal and 0 not, 0 best prices compared and 0"
      ),
      (
        ["okx/books-l2-tbt_20210722_OKEX.ws.1.0"],
        "1494 updates in sequence, 1504 checksums equal and 0 not, 0 best prices compared and 0"
      ),
      (
        ["okx/books_20220513_OKX.ws.1.0"],
        "287 updates in sequence, 290 checksums equal and 0 not, 0 best prices compared and 0"
      ),
    ]

    private static func isPresent(_ files: [String]) -> Bool {
      files.allSatisfy { FileManager.default.fileExists(atPath: Project.capture($0)) }
    }

    @Test(
      .enabled(
        if: recordings.allSatisfy { isPresent($0.files) },
        "recorded data is absent (RECORDED_DATA): no recording is checked"),
      arguments: recordings)
    func `MD-03 MD-05 MD-06 every check of a recording holds, and is counted`(
      _ files: [String], _ verdict: String
    ) async throws {
      let program = try #require(Program.path)
      let ended = try await run(program, ["replay"] + files.map(Project.capture))
      #expect(ended.isGood, "\(ended.all)")
      #expect(ended.output.contains("every check holds: \(verdict) different"), "\(ended.all)")
    }

    @Test func `a recording in which nothing can be checked is no success`() async throws {
      let program = try #require(Program.path)
      let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).jsonl")
      defer { try? FileManager.default.removeItem(at: file) }
      let update = #"{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","#
      try (update + #""U":2,"u":3,"b":[["1.50","2"]],"a":[]}}"#).write(
        to: file, atomically: true, encoding: .utf8)

      let ended = try await run(program, ["replay", file.path])
      #expect(ended.status == 1 && ended.output.contains("nothing was checked"), "\(ended.all)")
      #expect(ended.output.contains("BTCUSDT: there is no snapshot"), "\(ended.all)")
    }

    @Test(
      .enabled(
        if: isPresent(["kraken/v2_btcusd_depth25_20260802.log"]),
        "recorded data is absent (RECORDED_DATA): no recording is damaged"))
    func `MD-05 one flipped digit fails the check and names its frame`() async throws {
      let path = Project.capture("kraken/v2_btcusd_depth25_20260802.log")
      var lines = try String(contentsOfFile: path, encoding: .utf8).split(
        separator: "\n", omittingEmptySubsequences: false
      ).map(String.init)
      // The best bid of the snapshot.
      let index = try #require(
        lines.firstIndex { $0.contains("\"type\":\"snapshot\"") && $0.contains("\"qty\"") })
      let digit = try #require(lines[index].range(of: "\"qty\":"))
      let place = digit.upperBound
      let old = lines[index][place]
      lines[index].replaceSubrange(place...place, with: old == "1" ? "2" : "1")
      let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let damaged = folder.appending(path: "damaged.log")
      try lines.joined(separator: "\n").write(to: damaged, atomically: true, encoding: .utf8)

      let program = try #require(Program.path)
      let ended = try await run(program, ["replay", damaged.path])
      #expect(ended.status == 1 && ended.output.contains("not every check holds"), "\(ended.all)")
      #expect(ended.output.contains("checksum"), "\(ended.all)")
    }
  }
}
