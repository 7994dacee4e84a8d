import Foundation
import TestKit
import Testing

@testable import VenueSimulator

@Suite struct `What the simulated exchange keeps` {
  private let names = RecordNames(apiKeys: ["k"], symbols: ["BTCUSDT"])

  private func balances(_ assets: String...) -> [ExchangeRecord] {
    assets.map { .balance(apiKey: "k", asset: $0, Balance()) }
  }

  private func assets(_ log: ExchangeLog) throws -> [String] {
    try log.load().compactMap {
      if case .balance(_, let asset, _) = $0 { asset } else { nil }
    }
  }

  /// Without the room that was taken ahead.
  private func text(_ path: String) throws -> Data {
    let bytes = try Data(contentsOf: URL(filePath: path))
    return bytes.prefix { $0 != 0 }
  }

  @Test func `REC-02 of a group that a kill has torn nothing is known, of those before all`() throws
  {
    let folder = try TemporaryFolder()
    let path = folder.path + "/orders.jsonl"
    let log = ExchangeLog(directory: folder.path, names: names)
    try log.begin(with: balances("A", "B"))
    try log.append(balances("C"))
    let whole = try text(path).count
    try log.append(balances("D", "E", "F"))
    let all = try text(path)

    #expect(try assets(log) == ["A", "B", "C", "D", "E", "F"])
    for length in whole..<all.count {
      try all[..<length].write(to: URL(filePath: path))
      #expect(try assets(log) == ["A", "B", "C"], "cut at \(length)")
    }
  }

  @Test func `files of a version without groups are read to their last whole line`() throws {
    let folder = try TemporaryFolder()
    let lines = balances("A", "B").map { String(decoding: $0.line(names), as: UTF8.self) }
    try Data((lines.joined(separator: "\n") + "\n{\"kind\":\"bal").utf8)
      .write(to: URL(filePath: folder.path + "/orders.jsonl"))

    #expect(try assets(ExchangeLog(directory: folder.path, names: names)) == ["A", "B"])
  }

  @Test
  func `a start without room for a fresh file goes on with the old one, cut to what is whole`()
    throws
  {
    let folder = try TemporaryFolder()
    let path = folder.path + "/orders.jsonl"
    let first = ExchangeLog(directory: folder.path, names: names)
    try first.begin(with: balances("A"))
    try first.append(balances("B"))
    var bytes = try text(path)
    bytes += Data("{\"kind\":\"bal".utf8)
    try bytes.write(to: URL(filePath: path))
    // A folder in its place: no fresh file can be made.
    try FileManager.default.createDirectory(
      atPath: path + ".new", withIntermediateDirectories: false)

    let second = ExchangeLog(directory: folder.path, names: names)
    #expect(try assets(second) == ["A", "B"])
    try second.begin(with: balances("A", "B"))
    try second.append(balances("C"))

    #expect(try assets(ExchangeLog(directory: folder.path, names: names)) == ["A", "B", "C"])
  }
}
