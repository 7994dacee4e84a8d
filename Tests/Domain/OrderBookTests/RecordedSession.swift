import Bytes
import Chrono
import Foundation
import JSON
import OrderBook
import Units
import Venue

/// The first minutes of a recorded Binance session of BTCUSDT, in the order in which it was
/// received. The project ships no recordings: they lie beside it or they do not.
struct RecordedSession {
  static let path = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "shared/data/binance/spot_btcusdt_20240808.gz").path

  static var isThere: Bool { FileManager.default.fileExists(atPath: path) }

  private(set) var events: [MarketEvent] = []

  init(linesMax: Int) throws {
    let packed = try [UInt8](Data(contentsOf: URL(filePath: Self.path)))
    let text = try Gzip.decompress(packed, outputMax: 1 << 28)
    for line in text.split(separator: UInt8(ascii: "\n"), maxSplits: linesMax).prefix(linesMax) {
      let json = line[(line.firstIndex(of: UInt8(ascii: " "))! + 1)...]
      let root = try JSONDocument(parsing: Array(json)).root
      events.append(try Self.event(root))
    }
  }

  private static func event(_ root: JSONValue) throws -> MarketEvent {
    guard let data = root["data"] else {
      return .snapshot(
        OrderBookTests.snapshot(
          try root.uint64("lastUpdateId"), bids: levels(try root.array("bids")),
          asks: levels(try root.array("asks"))))
    }
    switch data["e"]?.string {
    case "depthUpdate":
      let ids = try data.uint64("U")...data.uint64("u")
      return .delta(
        delta(ids, bids: levels(try data.array("b")), asks: levels(try data.array("a"))))
    case "trade":
      return .trade(
        Trade(
          instrument: InstrumentID(0), tradeID: try data.uint64("t"),
          price: Price(raw(try data.string("p"), scale: 2)),
          quantity: Quantity(raw(try data.string("q"), scale: 8)),
          aggressor: try data.bool("m") ? .sell : .buy, exchangeTime: .epoch, receivedTime: .epoch))
    default:
      return .top(
        TopOfBook(
          instrument: InstrumentID(0), updateID: try data.uint64("u"),
          bid: level(raw(try data.string("b"), scale: 2), raw(try data.string("B"), scale: 8)),
          ask: level(raw(try data.string("a"), scale: 2), raw(try data.string("A"), scale: 8)),
          receivedTime: .epoch))
    }
  }

  private static func levels(_ array: JSONArray) -> [PriceLevel] {
    array.map { pair in
      level(raw(pair[0]!.string!, scale: 2), raw(pair[1]!.string!, scale: 8))
    }
  }

  private static func raw(_ text: String, scale: UInt8) -> Int64 {
    try! Units.Decimal(parsing: text).units(atScale: scale)!
  }
}
