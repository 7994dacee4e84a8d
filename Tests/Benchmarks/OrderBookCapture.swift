private import Bytes
import Chrono
private import Glibc
private import JSON
import Units
import Venue

/// A recorded Binance session of one instrument, as a snapshot and the deltas after it. Lines are
/// `<received ns> <json>`; see the manifest beside the captures.
struct OrderBookCapture {
  let snapshot: BookSnapshot
  /// Deltas that end after the snapshot, in order.
  let deltas: [BookDelta]
  let levelCount: Int

  /// Decimal places of BTCUSDT on Binance as written; a few levels show more than the lot size has.
  private static let priceScale: UInt8 = 2
  private static let quantityScale: UInt8 = 8

  enum Problem: Error {
    case unreadable(path: String)
    case malformed(line: Int)
    case noSnapshot
  }

  init(path: String) throws {
    let text = try Gzip.decompress(Self.bytes(of: path), outputMax: 1 << 28)
    var snapshot: BookSnapshot?
    var deltas: [BookDelta] = []
    for (number, line) in text.split(separator: UInt8(ascii: "\n")).enumerated() {
      guard let space = line.firstIndex(of: UInt8(ascii: " ")) else {
        throw Problem.malformed(line: number + 1)
      }
      let root = try JSONDocument(parsing: Array(line[line.index(after: space)...])).root
      if let updateID = root["lastUpdateId"]?.uint64 {
        snapshot = BookSnapshot(
          instrument: InstrumentID(0), updateID: updateID, exchangeTime: .epoch,
          receivedTime: .epoch, bids: try Self.levels(root.array("bids")),
          asks: try Self.levels(root.array("asks")))
      } else if let data = root["data"], data["e"]?.isString("depthUpdate") == true {
        deltas.append(
          BookDelta(
            instrument: InstrumentID(0), firstUpdateID: try data.uint64("U"),
            lastUpdateID: try data.uint64("u"), exchangeTime: .epoch, receivedTime: .epoch,
            bids: try Self.levels(data.array("b")), asks: try Self.levels(data.array("a"))))
      }
    }
    guard let snapshot else { throw Problem.noSnapshot }
    self.snapshot = snapshot
    self.deltas = deltas.filter { $0.lastUpdateID > snapshot.updateID }
    levelCount = self.deltas.reduce(0) { $0 + $1.bids.count + $1.asks.count }
  }

  /// As many deltas of 36 levels as the recording has, most of them near the touch; the same for
  /// the same seed.
  init(seed: UInt64) {
    var random = SeededChoice(seed)
    snapshot = BookSnapshot(
      instrument: InstrumentID(0), updateID: 1, exchangeTime: .epoch, receivedTime: .epoch,
      bids: (1...1_000).map { PriceLevel(price: Price(6_000_000 - $0), quantity: Quantity(100)) },
      asks: (1...1_000).map { PriceLevel(price: Price(6_000_000 + $0), quantity: Quantity(100)) })
    deltas = (0..<6_000).map { number in
      let id = UInt64(number) + 2
      return BookDelta(
        instrument: InstrumentID(0), firstUpdateID: id, lastUpdateID: id, exchangeTime: .epoch,
        receivedTime: .epoch, bids: (0..<18).map { _ in random.level(around: 6_000_000, -1) },
        asks: (0..<18).map { _ in random.level(around: 6_000_000, 1) })
    }
    levelCount = deltas.count * 36
  }

  private static func levels(_ array: JSONArray) throws -> [PriceLevel] {
    try array.map { pair in
      let price = try Decimal(parsing: pair[0]?.string ?? "")
      let quantity = try Decimal(parsing: pair[1]?.string ?? "")
      guard let rawPrice = price.units(atScale: priceScale),
        let rawQuantity = quantity.units(atScale: quantityScale)
      else { throw DecimalError.tooManyDigits }
      return PriceLevel(price: Price(rawPrice), quantity: Quantity(rawQuantity))
    }
  }

  static func bytes(of path: String) throws -> [UInt8] {
    guard let file = fopen(path, "rb") else { throw Problem.unreadable(path: path) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&block, 1, block.count, file)
      guard count > 0 else { return bytes }
      bytes.append(contentsOf: block[..<count])
    }
  }
}

private struct SeededChoice {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed | 1 }

  /// Within 2,000 ticks of the middle on one side of it, a third of them gone.
  mutating func level(around middle: Int64, _ sign: Int64) -> PriceLevel {
    let distance = Int64(min(next() % 2_000, next() % 2_000)) + 1
    let quantity = next() % 3 == 0 ? 0 : Int64(next() % 1_000_000) + 1
    return PriceLevel(price: Price(middle + sign * distance), quantity: Quantity(quantity))
  }

  private mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
