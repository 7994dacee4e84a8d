import Chrono
import JSON
import OrderBook
import Recording
import Seeds
import TestKit
import Testing
import Units
import Venue

@testable import Venues

/// Recordings beside the package, and what their manifest says of them.
struct BinanceCapture: Sendable, CustomTestStringConvertible {
  let name: String
  let files: [String]
  let market: BinanceMarket
  let symbols: [String]
  var scales: (price: UInt8, quantity: UInt8) = (8, 8)
  /// Updates that chain, the one that ends where a futures snapshot does included.
  let deltas: Int
  let bestChecks: Int
  var trades = 0

  var testDescription: String { name }

  var isPresent: Bool { files.allSatisfy { RecordedData.isPresent("binance/" + $0) } }

  func frames() throws -> [RecordedFrame] {
    let recordings = try files.map { file in
      try Recording(RecordedData.read("binance/" + file))
    }
    return Recording(merging: recordings).frames
  }

  var instruments: [Instrument] {
    symbols.enumerated().map { index, symbol in
      .recorded(symbol, index, priceScale: scales.price, quantityScale: scales.quantity)
    }
  }

  static let all = [
    BinanceCapture(
      name: "spot 2024", files: ["spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz"],
      market: .spot, symbols: ["BTCUSDT"], scales: (2, 8), deltas: 6_493,
      bestChecks: 1_072, trades: 19_904),
    BinanceCapture(
      name: "USD-M 2023",
      files: [
        "usdm_btcusdt_20230404_us-timestamps.gz", "usdm_btcusdt_20230405_us-timestamps.gz",
      ], market: .usdm, symbols: ["BTCUSDT"], scales: (2, 3), deltas: 16_110,
      bestChecks: 1_565, trades: 12_935),
    BinanceCapture(
      name: "USD-M 2024 BTC", files: ["usdm_btcusdt_20240808.gz"], market: .usdm,
      symbols: ["BTCUSDT"], scales: (2, 3), deltas: 6_547, bestChecks: 629, trades: 21_313),
    BinanceCapture(
      name: "USD-M 2024 ETH", files: ["usdm_ethusdt_20240808.gz"], market: .usdm,
      symbols: ["ETHUSDT"], scales: (2, 3), deltas: 6_581, bestChecks: 551, trades: 14_076),
    BinanceCapture(
      name: "cryptofeed spot",
      files: ["cf_20210814_BINANCE.ws.1.0", "cf_20210814_BINANCE.http.0.0"],
      market: .spot, symbols: ["FTMUSDT", "SXPBTC", "BADGERBTC", "XMRBTC"], deltas: 528,
      bestChecks: 96),
    BinanceCapture(
      name: "cryptofeed spot 100ms", files: ["cf_BINANCE-ee25be.0.zst"], market: .spot,
      symbols: ["BTCUSDT", "ETHUSDT", "DOTUSDT"], deltas: 889 + 896 + 871, bestChecks: 0),
    BinanceCapture(
      name: "cryptofeed USD-M", files: ["cf_BINANCE_FUTURES-1125a2.0.zst"], market: .usdm,
      symbols: ["SANDUSDT", "CHRUSDT", "NEOUSDT", "CTKUSDT", "BATUSDT"], deltas: 4_395,
      bestChecks: 215),
    BinanceCapture(
      name: "Binance.US", files: ["cf_BINANCE_US-63b290.0.zst"], market: .spot,
      symbols: [
        "ETHBTC", "MANAUSD", "HNTUSD", "QTUMUSDT", "BCHBTC", "VTHOUSD", "SOLUSD", "MKRUSD",
        "DOGEUSD", "BTCUSD",
      ], deltas: 3_185, bestChecks: 743),
  ]

  static var present: [BinanceCapture] { all.filter(\.isPresent) }
}

@Suite struct `Binance's recordings` {
  /// The clocks of recorders are behind the exchange's by this much at most.
  private static let skewMax = Duration.seconds(2)

  @Test(
    .enabled(
      if: !BinanceCapture.present.isEmpty, "recorded data is absent: no capture is replayed"),
    arguments: BinanceCapture.present)
  func `MD-06 MD-07 MD-21 every update chains and every best level is bookTicker's`(
    capture: BinanceCapture
  ) throws {
    let feed = BinanceFeed(capture.market, capture.instruments)
    var replay = CaptureReplay(feed)

    replay.play(try capture.frames())

    let counts = replay.counts
    print(
      "\(capture.name): \(counts.deltas) updates of \(counts.levels) levels applied, "
        + "\(replay.chained) chain, \(replay.bestChecks) of them and "
        + "\(replay.bestChecksOfSnapshots) snapshots compared with bookTicker, "
        + "\(replay.differing.count) differ, "
        + "\(counts.trades) trades, \(counts.tops) tickers, least delay \(counts.leastDelay)")
    print("  \(replay.deltasBySymbol.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })")
    #expect(replay.faults == [])
    #expect(replay.chained == capture.deltas)
    #expect(replay.bestChecks == capture.bestChecks && replay.differing.isEmpty)
    #expect(counts.trades == capture.trades)
    #expect(counts.snapshots == capture.symbols.count)
    #expect(counts.crossed == 0 && counts.stales == 0)
    #expect(counts.withoutTimes == 0 && counts.leastDelay > .zero - Self.skewMax)
  }

  @Test(
    .enabled(
      if: !BinanceCapture.present.isEmpty, "recorded data is absent: no frame is read"),
    arguments: BinanceCapture.present)
  func `every recorded depth update is written as usual, and both readers agree on it`(
    capture: BinanceCapture
  ) throws {
    var fast = BinanceCodec(capture.market, capture.instruments)
    var general = BinanceCodec(capture.market, capture.instruments)
    var (depths, others, differing) = (0, 0, 0)
    for frame in try capture.frames() where frame.kind == .received {
      let isUsual = fast.readsAsUsual(frame.bytes, frame.time)
      // Of the many other frames a few do.
      guard isUsual || others < 500 else { continue }
      let read = try general.decodeAny(frame.bytes, received: frame.time)
      if isUsual {
        depths += 1
        if read != .depth || fast.delta != general.delta { differing += 1 }
      } else {
        others += 1
        if read == .depth { differing += 1 }
      }
    }
    print("\(capture.name): \(depths) depth updates read alike")
    #expect(depths >= capture.deltas && differing == 0)
  }

  @Test(
    .enabled(
      if: BinanceCapture.all[1].isPresent && BinanceCapture.all[0].isPresent,
      "recorded data is absent: nothing is damaged"),
    arguments: BinanceCapture.all[0...1])
  func `MD-03 MD-05 a flipped digit or a lost line is caught at that message, and healed`(
    capture: BinanceCapture
  ) throws {
    var damage = CaptureDamage(capture, seed: 20_240_808)
    try damage.run(every: 61)

    print(
      "\(capture.name), seed \(damage.seed): \(damage.flipped) digits flipped, \(damage.lost) lines "
        + "lost, all caught: \(damage.escaped.isEmpty)")
    #expect(damage.flipped > 40 && damage.lost > 40)
    #expect(damage.escaped == [])
    #expect(damage.unhealed == [])
    #expect(damage.isEqualAtEnd)
  }

  @Test(
    .enabled(
      if: BinanceCapture.all[0].isPresent, "recorded data is absent: no level is damaged"))
  func `MD-05 a flipped digit of the best quantity is told by bookTicker at that very update`()
    throws
  {
    let capture = BinanceCapture.all[0]
    let frames = try capture.frames()
    var clean = CaptureReplay(BinanceFeed(.spot, capture.instruments))
    clean.play(frames)
    var damaged = CaptureReplay(BinanceFeed(.spot, capture.instruments))
    var flipped: Set<UInt64> = []

    for frame in frames {
      var frame = frame
      if let (id, digit) = try bestQuantity(frame, clean.compared, capture.instruments[0]) {
        frame.bytes[digit] = frame.bytes[digit] == 0x31 ? 0x32 : 0x31
        flipped.insert(id)
      }
      damaged.play(frame)
    }

    print("\(flipped.count) best quantities flipped, \(damaged.differing.count) differ")
    #expect(flipped.count > 100)
    #expect(flipped.isSubset(of: damaged.differing))
  }

  /// The place of the first digit of the best bid's quantity in the update that bookTicker tells of
  /// too; nil when the update does not change it.
  private func bestQuantity(
    _ frame: RecordedFrame, _ tops: [UInt64: TopOfBook], _ instrument: Instrument
  ) throws -> (id: UInt64, digit: Int)? {
    guard case .received = frame.kind else { return nil }
    let data = try JSONDocument(parsing: frame.bytes).root.member("data")
    guard data["e"]?.isString("depthUpdate") == true, let top = tops[try data.uint64("u")] else {
      return nil
    }
    let mark = Array("[\"\(instrument.decimal(top.bid.price))000000\",\"".utf8)
    guard let place = frame.bytes.firstRange(of: mark) else { return nil }
    return (top.updateID, place.upperBound)
  }
}

/// Replays a recording while damaging depth messages, beside an undamaged twin that heals it.
struct CaptureDamage {
  let seed: UInt64
  private(set) var flipped = 0
  private(set) var lost = 0
  private(set) var escaped: [String] = []
  private(set) var unhealed: [String] = []
  private let capture: BinanceCapture
  private let twin: BinanceFeed
  private let feed: BinanceFeed
  private var random: SeededGenerator
  private var output = FeedOutput()

  private static let id = InstrumentID(0)

  init(_ capture: BinanceCapture, seed: UInt64) {
    self.capture = capture
    self.seed = seed
    random = SeededGenerator(seed: seed)
    twin = BinanceFeed(capture.market, capture.instruments)
    feed = BinanceFeed(capture.market, capture.instruments)
  }

  var isEqualAtEnd: Bool {
    depthAnswer(feed.book(of: Self.id), feed.instruments[0])
      == depthAnswer(twin.book(of: Self.id), twin.instruments[0])
  }

  mutating func run(every step: Int) throws {
    let snapshot = FeedQuestion(.snapshot, Self.id)
    feed.opened(at: .epoch, &output)
    twin.opened(at: .epoch, &output)
    var number = 0
    var lostLast = false
    for frame in try capture.frames() {
      if case .answered = frame.kind {
        for each in [feed, twin] { each.answered(snapshot, frame.bytes, at: frame.time, &output) }
        continue
      }
      guard String(decoding: frame.bytes.prefix(80), as: UTF8.self).contains("depthUpdate") else {
        continue
      }
      output.removeAll()
      twin.receive(frame.bytes, at: frame.time, &output)
      guard !twin.book(of: Self.id).isStale else {
        feed.receive(frame.bytes, at: frame.time, &output)
        continue
      }
      number += 1
      lostLast = damage(frame, number, step, lostLast)
    }
  }

  /// True when the frame was withheld from the feed.
  private mutating func damage(
    _ frame: RecordedFrame, _ number: Int, _ step: Int, _ lostLast: Bool
  ) -> Bool {
    output.removeAll()
    switch (number % step, lostLast) {
    case (step - 1, _):
      lost += 1
      return true
    case (step / 2, _):
      flipped += 1
      feed.receive(flippedCopy(frame.bytes), at: frame.time, &output)
      if !isCaught { escaped.append("flip in message \(number)") }
      heal(frame, number)
    case (_, true):
      feed.receive(frame.bytes, at: frame.time, &output)
      if !isCaught { escaped.append("loss before message \(number)") }
      heal(frame, number)
    default:
      feed.receive(frame.bytes, at: frame.time, &output)
      if !output.faults.isEmpty { escaped.append("\(output.faults) at \(number)") }
    }
    return false
  }

  /// The book is not trusted from here on, and it is asked for anew.
  private var isCaught: Bool {
    feed.book(of: Self.id).isStale
      && output.faults.contains { fault in
        if case .gap = fault { true } else { false }
      }
      && output.wishes.contains { wish in
        if case .get(_, _, let question, _) = wish { question.kind == .snapshot } else { false }
      }
  }

  private mutating func heal(_ frame: RecordedFrame, _ number: Int) {
    output.removeAll()
    feed.answered(
      FeedQuestion(.snapshot, Self.id), depthAnswer(twin.book(of: Self.id), twin.instruments[0]),
      at: frame.time, &output)
    if feed.book(of: Self.id).isStale { unhealed.append("message \(number): \(output.faults)") }
  }

  /// The digits by which the message says where it belongs, one of them another one.
  private mutating func flippedCopy(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    let mark = Array((capture.market == .spot ? "\"U\":" : "\"pu\":").utf8)
    var place = 0
    while !bytes[place...].starts(with: mark) { place += 1 }
    place += mark.count
    let digits = bytes[place...].prefix { $0 >= 0x30 && $0 <= 0x39 }.count
    // Not the first: a number does not begin with 0.
    let digit = place + Int.random(in: 1..<digits, using: &random)
    let other = UInt8.random(in: 1...9, using: &random)
    bytes[digit] = 0x30 + (bytes[digit] - 0x30 + other) % 10
    return bytes
  }
}
