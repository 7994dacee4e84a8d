import CAllocationCount
import Chrono
import OrderBook
import Recording
import Seeds
import TestKit
import Testing
import Units
import Venue

@testable import Venues

@Suite struct `Binance's codec` {
  private static let instruments = [
    Instrument.recorded("BTCUSDT", 0, priceScale: 2, quantityScale: 8),
    Instrument.recorded("1000SHIBUSDT_240329", 1, priceScale: 8, quantityScale: 0),
  ]

  /// What one of the two readers makes of a frame.
  private enum Reading: Hashable {
    case frame(BinanceFrame, BookDelta?)
    case refused

    init(_ codec: inout BinanceCodec, _ bytes: [UInt8], isUsual: Bool) {
      do {
        let frame =
          isUsual
          ? try codec.decode(bytes, received: .epoch)
          : try codec.decodeAny(bytes, received: .epoch)
        self = .frame(frame, frame == .depth ? codec.delta : nil)
      } catch {
        self = .refused
      }
    }
  }

  private static let frames = [
    #"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161256299,"s":"BTCUSDT","U":157,"u":160,"b":[["61737.63000000","0.50000000"],["61737.60000000","0.00000000"]],"a":[["61740.00000000","12.34567891"]]}}"#,
    #"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[],"a":[["2","0.1"],["3.5","7"]]}"#,
    #"{"e":"depthUpdate","E":123456789,"T":123456788,"s":"BTCUSDT","U":157,"u":160,"pu":149,"b":[["0.02","10"]],"a":[]}"#,
    #"{"e":"depthUpdate","E":1,"s":"1000SHIBUSDT_240329","U":1,"u":2,"pu":0,"b":[["0.00000001","99999999"]],"a":[["0.00000002","1234567"]]}"#,
    #"{"stream":"x","data":{"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"1","q":"2","T":3,"m":true}}"#,
  ]

  private static let words = [
    "\"", "0", "00", ".", "-", "\\", " ", "]", "[", ",", "}", "1e5", "\u{e9}", "9999999", ":", "\0",
    "99999999.99999999", "0.000000001", "0.10000000000", "18446744073709551615", "\"pu\":1,",
  ]

  @Test(arguments: [BinanceMarket.spot, .usdm])
  func `the fast reader and the general one agree on 200,000 damaged frames`(
    market: BinanceMarket
  ) {
    let seed: UInt64 = 7
    print("seed \(seed)")
    var random = SeededGenerator(seed: seed)
    var fast = BinanceCodec(market, Self.instruments)
    var general = BinanceCodec(market, Self.instruments)
    var (depths, refusals) = (0, 0)
    for round in 0..<200_000 {
      var bytes = Array(Self.frames[round % Self.frames.count].utf8)
      for _ in 0..<Int.random(in: 0...2, using: &random) { damage(&bytes, &random) }

      let first = Reading(&fast, bytes, isUsual: true)
      let second = Reading(&general, bytes, isUsual: false)

      if first != second {
        Issue.record("\(String(decoding: bytes, as: UTF8.self)): \(first) and \(second)")
        return
      }
      switch first {
      case .frame(.depth, _): depths += 1
      case .refused: refusals += 1
      default: break
      }
    }
    print("\(market): \(depths) depth updates read, \(refusals) frames refused")
    #expect(depths > 20_000 && refusals > 20_000)
  }

  private func damage(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
    let place = Int.random(in: 0..<bytes.count, using: &random)
    switch Int.random(in: 0..<5, using: &random) {
    case 0: bytes[place] = .random(in: 0x20...0x7e, using: &random)
    case 1: bytes[place] = UInt8.random(in: 0x30...0x39, using: &random)
    case 2: bytes.remove(at: place)
    case 3: bytes.insert(contentsOf: Self.words.randomElement(using: &random)!.utf8, at: place)
    default: bytes.removeSubrange(place..<min(bytes.count, place + 9))
    }
    if bytes.isEmpty { bytes = [0x20] }
  }

  @Test func `decimals of every length and scale are read alike`() {
    let seed: UInt64 = 11
    print("seed \(seed)")
    var random = SeededGenerator(seed: seed)
    var read = 0
    for _ in 0..<20_000 {
      let instrument = Instrument.recorded(
        "BTCUSDT", 0, priceScale: .random(in: 0...18, using: &random),
        quantityScale: .random(in: 0...10, using: &random))
      var fast = BinanceCodec(.spot, [instrument])
      var general = BinanceCodec(.spot, [instrument])
      let rows = (0..<3).map { _ in "[\"\(decimal(&random))\",\"\(decimal(&random))\"]" }
      let bytes = Array(
        """
        {"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[\(rows[0])],"a":[\(rows[1]),\
        \(rows[2])]}
        """.utf8)

      let first = Reading(&fast, bytes, isUsual: true)

      #expect(first == Reading(&general, bytes, isUsual: false))
      if case .frame(.depth, _) = first { read += 1 }
    }
    print("\(read) read")
    #expect(read > 2_000)
  }

  private func decimal(_ random: inout SeededGenerator) -> String {
    func digits(_ most: Int) -> String {
      let isZero = Int.random(in: 0..<3, using: &random) == 0
      return (0..<Int.random(in: 1...most, using: &random)).map { _ in
        isZero ? "0" : String(Int.random(in: 0...9, using: &random))
      }.joined()
    }
    return Bool.random(using: &random) ? digits(9) : "\(digits(9)).\(digits(11))"
  }

  @Test(
    arguments: [
      #"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":3,"u":2,"b":[],"a":[]}"#,
      #"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[["0.001","1"]],"a":[]}"#,
      #"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[["0","1"]],"a":[]}"#,
      #"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[["1","-1"]],"a":[]}"#,
      #"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[["1"]],"a":[]}"#,
      #"{"e":"depthUpdate","E":9223372036854775807,"s":"BTCUSDT","U":1,"u":2,"b":[],"a":[]}"#,
      #"{"e":"depthUpdate","s":"BTCUSDT","U":1,"u":2,"b":[],"a":[]}"#,
    ])
  func `MD-03 an update that cannot be read costs its book the trust at that message`(
    frame: String
  ) {
    let feed = BinanceFeed(.spot, [Self.instruments[0]])
    let id = InstrumentID(0)
    var output = FeedOutput()
    feed.opened(at: .epoch, &output)
    let snapshot = #"{"lastUpdateId":1,"bids":[["1","2"]],"asks":[["2","2"]]}"#
    feed.answered(FeedQuestion(.snapshot, id), Array(snapshot.utf8), at: .epoch, &output)
    #expect(!feed.book(of: id).isStale)
    output.removeAll()

    feed.receive(Array(frame.utf8), at: .epoch, &output)

    #expect(feed.book(of: id).isStale)
    #expect(output.faults.count == 2 && output.events.count == 1)
    guard case .malformed = output.faults[0], case .gap(id, _) = output.faults[1],
      case .get(_, _, let question, _) = output.wishes[0]
    else {
      Issue.record("\(output)")
      return
    }
    #expect(question == FeedQuestion(.snapshot, id))
  }

  /// The book itself allocates without optimisation. A twin that is given the same updates tells
  /// how much of the count is its own; with optimisation both are nothing, as the benchmark of this
  /// path makes sure.
  @Test(
    .enabled(
      if: RecordedData.isPresent(RecordedData.spot), "recorded data is absent: no frames to read"))
  func `3,449 recorded updates go from frame to book without an allocation of their own`() throws {
    let frames = try Recording(RecordedData.read(RecordedData.spot)).frames
    let answer = try #require(frames.first { if case .answered = $0.kind { true } else { false } })
    let updates = frames.map(\.bytes).filter {
      $0.starts(with: #"{"stream":"btcusdt@depth"#.utf8)
    }
    var codec = BinanceCodec(.spot, [Self.instruments[0]])
    let snapshot = try codec.snapshot(
      answer.bytes, of: Self.instruments[0], received: .epoch)
    let feed = BinanceFeed(.spot, [Self.instruments[0]])
    let twin = SequencedBook()
    var output = FeedOutput()
    var (round, applied, ofFeed, ofBook) = (0, 0, Int64(0), Int64(0))
    // In the first round every buffer grows to its size.
    while round < 2 {
      (applied, ofFeed, ofBook) = (0, 0, 0)
      feed.opened(at: .epoch, &output)
      feed.answered(
        FeedQuestion(.snapshot, InstrumentID(0)), answer.bytes, at: .epoch, &output)
      twin.reset()
      _ = twin.apply(snapshot)
      var number = 0
      // Not `for`: without optimisation a range's iterator allocates by itself.
      while number < updates.count {
        output.removeAll()
        let start = allocation_count()
        feed.receive(updates[number], at: .epoch, &output)
        ofFeed += allocation_count() - start
        _ = try codec.decode(updates[number], received: .epoch)
        let before = allocation_count()
        _ = twin.apply(codec.delta)
        ofBook += allocation_count() - before
        if case .delta = output.events.first { applied += 1 }
        number += 1
      }
      round += 1
    }

    print("\(applied) updates: \(ofFeed) allocations in the feed, \(ofBook) in the book alone")
    #expect(applied == 3_449)
    #expect(ofFeed == ofBook)
  }
}
