import Bytes
import Chrono
import TestKit
import Testing

@testable import Recording

@Suite struct `Recordings` {
  private func frame(
    _ time: Int64, _ kind: RecordedFrame.Kind, _ text: String, connection: Int = 0
  ) -> RecordedFrame {
    RecordedFrame(
      time: Instant(nanoseconds: time), connection: connection, kind: kind, bytes: Array(text.utf8))
  }

  private func frames(_ text: String) throws -> [RecordedFrame] {
    try Recording(Array(text.utf8)).frames
  }

  @Test func `what is written is read, line breaks and all`() throws {
    let header = RecordingHeader(
      venue: "kraken", symbols: ["BTCUSD"], begun: Instant(nanoseconds: 7))
    let written = [
      frame(8, .opened, "wss://ws.kraken.com/v2"), frame(9, .sent, #"{"method":"ping"}"#),
      frame(10, .received, "{\n  \"a\": 1\n}", connection: 3), frame(10, .received, ""),
      frame(11, .answered(target: "/0/public/Time?a=b"), #"{"error":[]}"#),
      frame(12, .answered(target: "/x"), "a\nb"), frame(13, .closed, "closed by the venue"),
    ]
    var packed: [UInt8] = []
    var writer = RecordingWriter(header, into: &packed)
    for frame in written { writer.append(frame, into: &packed) }
    #expect(writer.frames == written.count)
    writer.finish(into: &packed)

    let read = try Recording(packed)

    #expect(read.header == header)
    #expect(try Recording.header(of: packed) == header)
    #expect(try Recording.header(of: Array("1 {}".utf8)) == nil)
    #expect(read.frames == written)
  }

  @Test func `a recording whose writer died is good up to its last flush`() throws {
    var packed: [UInt8] = []
    var writer = RecordingWriter(
      RecordingHeader(venue: "okx", symbols: [], begun: .epoch), into: &packed)
    writer.append(frame(1, .received, "one"), into: &packed)
    writer.flush(into: &packed)
    writer.append(frame(2, .received, "two"), into: &packed)

    #expect(try Recording(packed).frames == [frame(1, .received, "one")])
  }

  @Test func `lines with nanoseconds or microseconds, a snapshot among them`() throws {
    let read = try frames(
      """
      1723161256107000000 {"stream":"btcusdt@trade","data":{}}
      1680652700423575 {"lastUpdateId":5,"bids":[],"asks":[]}

      """)

    #expect(
      read == [
        frame(1_723_161_256_107_000_000, .received, #"{"stream":"btcusdt@trade","data":{}}"#),
        frame(
          1_680_652_700_423_575_000, .answered(target: ""),
          #"{"lastUpdateId":5,"bids":[],"asks":[]}"#),
      ])
  }

  @Test func `cryptofeed's lines, split at the first separator only`() throws {
    let read = try frames(
      """
      configuration: {"ticker": ["BTC-USD"]}
      wss://ws.kraken.com <-> 1617666422.644768
      wss://ws.kraken.com <- 1617666423.124183: {"event": "subscribe"}
      1617666423.1: {"a": "b: c"}
      https://www.binance.com/api/v3/depth?symbol=XMRBTC&limit=5000 -> 1628952396.5: {"x": 1}
      """)

    #expect(
      read == [
        frame(1_617_666_422_644_768_000, .opened, "wss://ws.kraken.com"),
        frame(1_617_666_423_124_183_000, .sent, #"{"event": "subscribe"}"#),
        frame(1_617_666_423_100_000_000, .received, #"{"a": "b: c"}"#),
        frame(
          1_628_952_396_500_000_000,
          .answered(target: "/api/v3/depth?symbol=XMRBTC&limit=5000"), #"{"x": 1}"#),
      ])
  }

  @Test func `cryptofeed's objects, one connection a name`() throws {
    let read = try frames(
      #"""
      {"t":"header","format":2}
      {"t":"http","conn":"C.http.1","ts":1786309548.026294,"url":"https://api.x.com/p","data":"{\"a\":1}"}
      {"t":"connect","conn":"C.ws.2","ts":1786309548.5,"addr":"wss://x"}
      {"t":"recv","conn":"C.ws.2","ts":1786309549,"data":"[]"}
      """#)

    #expect(
      read == [
        frame(1_786_309_548_026_294_000, .answered(target: "/p"), #"{"a":1}"#),
        frame(1_786_309_548_500_000_000, .opened, "wss://x", connection: 1),
        frame(1_786_309_549_000_000_000, .received, "[]", connection: 1),
      ])
  }

  @Test func `bare frames have no time`() throws {
    #expect(
      try frames("{\"a\":1}\n[2]\n") == [
        frame(0, .received, #"{"a":1}"#), frame(0, .received, "[2]"),
      ])
  }

  @Test func `recordings of one stretch of time merge, their connections apart`() throws {
    let stream = try Recording(Array("3 {\"s\":1}\n5 {\"s\":2}\n".utf8))
    let rest = try Recording(Array("4 {\"r\":1}\n5 {\"r\":2}\n".utf8))

    let merged = Recording(merging: [stream, rest])

    #expect(merged.frames.map(\.connection) == [0, 1, 0, 1])
    #expect(merged.frames.map { $0.time.nanoseconds } == [3_000, 4_000, 5_000, 5_000])
  }

  @Test(arguments: [
    ("1723161256107000000 {}\nabc {}", "line 2: a time is expected before the frame"),
    (
      "{\"recording\":\"shrivenquant\",\"version\":2,\"venue\":\"x\",\"symbols\":[],\"begun\":\"0\"}",
      "line 1: the header: "
    ),
    (
      "{\"recording\":\"shrivenquant\",\"version\":1,\"venue\":\"x\",\"symbols\":[],\"begun\":\"0\"}\n1 0 ! x",
      "line 2: the mark ! is unknown"
    ),
    ("wss://x ~ 1", "line 1: the arrow ~ is unknown"),
    ("soon: {}", "line 1: soon is no time in seconds"),
  ])
  func `what cannot be read names its line`(text: String, problem: String) {
    let error = #expect(throws: RecordingError.self) { try Recording(Array(text.utf8)) }
    #expect(error?.description.hasPrefix(problem) == true, "\(String(describing: error))")
  }

  /// Received and answered frames of recordings beside the package, by their manifest.
  @Test(
    .enabled(if: RecordedData.isPresent(RecordedData.spot), "no recorded data beside the package"),
    arguments: [
      ("binance/spot_btcusdt_20240808.gz", 41_248, 1),
      ("binance/spot_btcusdt_20240809.gz", 58_325, 0),
      ("binance/usdm_btcusdt_20240808.gz", 93_953, 1),
      ("binance/cf_20210814_BINANCE.http.0.0", 0, 4),
      ("kraken/v1_20210405_trade_KRAKEN-82ac16.0", nil, 0),
      ("kraken/v2_btcusd_depth25_20260802.log", nil, 0),
      ("kraken/futures_20210722_KRAKEN_FUTURES.ws.1.0.zst", nil, 0),
      ("okx/books_20220513_OKX.ws.1.0", nil, 0), ("deribit/20210405_DERIBIT-5dd9ce.0", nil, 0),
      ("coinbase/advtrade_20260809_COINBASE.jsonl.zst", nil, 1),
    ] as [(String, Int?, Int)])
  func `recordings of others are read whole`(file: String, received: Int?, answered: Int) throws {
    let recording = try Recording(RecordedData.read(file))

    let counts = recording.frames.reduce(into: (received: 0, answered: 0)) { counts, frame in
      switch frame.kind {
      case .received: counts.received += 1
      case .answered: counts.answered += 1
      case .opened, .closed, .sent: break
      }
    }
    print("\(file): \(counts.received) frames received, \(counts.answered) answers")
    #expect(counts.answered == answered)
    if let received { #expect(counts.received == received) } else { #expect(counts.received > 0) }
  }
}
