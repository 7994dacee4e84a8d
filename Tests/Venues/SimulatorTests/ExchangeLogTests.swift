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

  @Test func `REC-02 of a group that a kill has torn nothing is known, of those before all`() throws
  {
    let folder = try TemporaryFolder()
    let path = folder.path + "/orders.jsonl"
    let log = ExchangeLog(directory: folder.path, names: names)
    try log.begin(with: balances("A", "B"))
    try log.append(balances("C"))
    let whole = try Data(contentsOf: URL(filePath: path)).count
    try log.append(balances("D", "E", "F"))
    let all = try Data(contentsOf: URL(filePath: path))

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
}
