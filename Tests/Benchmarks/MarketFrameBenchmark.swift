import CAllocationCount
import Chrono
private import Glibc
import OrderBook
import Recording
import Units
import Venue
import Venues

/// What does a depth message cost from its bytes to the book? Each is read, checked, put in
/// sequence, applied and turned into an event, as on a socket, by the feed that sockets drive.
struct MarketFrameBenchmark {
  let name: String
  private let feed: BinanceFeed
  private let snapshot: [UInt8]
  private let frames: [[UInt8]]
  private let time = SystemTime()
  private static let instrument = InstrumentID(0)

  private init(
    name: String, market: BinanceMarket = .spot, snapshot: [UInt8], frames: [[UInt8]]
  ) {
    self.name = name
    self.snapshot = snapshot
    self.frames = frames
    feed = BinanceFeed(
      market,
      [
        Instrument(
          id: Self.instrument, venue: VenueID("binance"), symbol: "BTCUSDT",
          venueSymbol: "BTCUSDT", base: "BTC", quote: "USDT", priceScale: 2, quantityScale: 8,
          tickSize: Price(1), lotSize: Quantity(1_000), minQuantity: Quantity(1_000),
          maxQuantity: Quantity(.max), minNotional: .zero)
      ])
  }

  /// Every depth message of the recording.
  init(_ name: String, recording path: String) throws {
    var snapshot: [UInt8] = []
    var frames: [[UInt8]] = []
    for frame in try Recording(OrderBookCapture.bytes(of: path)).frames {
      if case .answered = frame.kind {
        snapshot = frame.bytes
      } else if frame.bytes.starts(with: #"{"stream":"btcusdt@depth"#.utf8) {
        frames.append(frame.bytes)
      }
    }
    guard !snapshot.isEmpty else { throw Broken("the recording holds no snapshot") }
    self.init(
      name: name, market: name.hasSuffix("usdm") ? .usdm : .spot, snapshot: snapshot,
      frames: frames)
  }

  /// As many messages of 36 levels, written as Binance writes them.
  init(seed: UInt64) {
    let capture = OrderBookCapture(seed: seed)
    func levels(_ levels: [PriceLevel]) -> String {
      levels.map { level in
        let price = Decimal(units: level.price.raw, scale: 2)
        return #"["\#(price)000000","\#(Decimal(units: level.quantity.raw, scale: 8))"]"#
      }.joined(separator: ",")
    }
    let snapshot = capture.snapshot
    self.init(
      name: "market.frame-to-book.binance.synthetic",
      snapshot: Array(
        """
        {"lastUpdateId":\(snapshot.updateID),"bids":[\(levels(snapshot.bids))],\
        "asks":[\(levels(snapshot.asks))]}
        """.utf8),
      frames: capture.deltas.map { delta in
        Array(
          """
          {"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161256299,\
          "s":"BTCUSDT","U":\(delta.firstUpdateID),"u":\(delta.lastUpdateID),\
          "b":[\(levels(delta.bids))],"a":[\(levels(delta.asks))]}}
          """.utf8)
      })
  }

  func run(rounds: Int = 20) throws -> Figures {
    var samples: [Double] = []
    samples.reserveCapacity(frames.count * rounds)
    var allocations: Int64 = 0
    var fastest = Double.infinity
    for _ in 0..<rounds {
      let timed = try replay { samples.append($0) }
      allocations += timed.allocations
      fastest = min(fastest, try replay(nil).nanoseconds)
    }
    // What is left is the growth of buffers and books in the first round.
    guard allocations < Int64(frames.count) else {
      throw Broken("\(allocations) allocations in \(frames.count * rounds) messages")
    }
    let bytes = Double(frames.reduce(0) { $0 + $1.count }) / Double(frames.count)
    var figures = Figures(name, samples: samples)
    // Of the best round, without reading the clock in between, of a core that does nothing else.
    figures.operationsPerSecond = Double(frames.count) * 1e9 / fastest
    figures.allocations = Double(allocations) / Double(frames.count * rounds)
    figures.more = [("message_bytes", bytes), ("best_round_ns", fastest / Double(frames.count))]
    return figures
  }

  /// From the moment at which a message was due until its book is told, when so many come in a second:
  /// a message that waits for the one before has its wait counted.
  func paced(_ rates: [Int] = [100_000, 1_000, 100], seconds: Int = 3) throws -> [Figures] {
    try rates.map { rate in
      let interval = UInt64(1_000_000_000 / rate)
      var samples: [Double] = []
      samples.reserveCapacity(rate * seconds)
      var output = FeedOutput()
      while samples.count < rate * seconds {
        begin(&output)
        let start = time.uptime.nanoseconds + interval
        for (index, frame) in frames.prefix(rate * seconds - samples.count).enumerated() {
          let due = start + UInt64(index) * interval
          while time.uptime.nanoseconds < due {}
          feed.receive(frame, at: .epoch, &output)
          output.removeAll()
          samples.append(Double(time.uptime.nanoseconds - due))
        }
        guard !feed.book(of: Self.instrument).isStale else { throw Broken("the book was lost") }
      }
      var figures = Figures("\(name).at-\(rate)-a-second", samples: samples)
      figures.more = [("p999_ns", samples.sorted().quantile(0.999))]
      return figures
    }
  }

  private func begin(_ output: inout FeedOutput) {
    feed.opened(at: .epoch, &output)
    feed.answered(FeedQuestion(.snapshot, Self.instrument), snapshot, at: .epoch, &output)
    output.removeAll()
  }

  /// The first part of it alone: from bytes to a delta, by the reader of usual updates and by the
  /// general one over simdjson, which it must agree with.
  func decoding(rounds: Int = 20) throws -> Figures {
    var codec = BinanceCodec(feed.market, feed.instruments)
    var (usual, general) = (Double.infinity, Double.infinity)
    for _ in 0..<rounds {
      let start = Self.threadNanoseconds
      for frame in frames { _ = try codec.decode(frame, received: .epoch) }
      let middle = Self.threadNanoseconds
      for frame in frames { _ = try codec.decodeAny(frame, received: .epoch) }
      usual = min(usual, Double(middle - start))
      general = min(general, Double(Self.threadNanoseconds - middle))
    }
    let count = Double(frames.count)
    var figures = Figures(name.replacing("frame-to-book", with: "frame-to-delta"))
    figures.operationsPerSecond = count * 1e9 / usual
    figures.peer = "our general reader"
    figures.ratio = general / usual
    figures.more = [("best_round_ns", usual / count), ("peer_best_round_ns", general / count)]
    return figures
  }

  /// What this thread has had of a processor: others that share the core do not count.
  private static var threadNanoseconds: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  private func replay(
    _ sample: ((Double) -> Void)?
  ) throws -> (nanoseconds: Double, allocations: Int64) {
    var output = FeedOutput()
    begin(&output)
    var applied = 0
    var allocations: Int64 = 0
    let start = Self.threadNanoseconds
    for frame in frames {
      let before = allocation_count()
      let begun = sample == nil ? 0 : time.uptime.nanoseconds
      feed.receive(frame, at: .epoch, &output)
      applied += output.events.count
      output.removeAll()
      guard let sample else { continue }
      sample(Double(time.uptime.nanoseconds - begun))
      allocations += allocation_count() - before
    }
    let spent = Double(Self.threadNanoseconds - start)
    // The first messages may be older than the snapshot.
    guard applied >= frames.count - 10, !feed.book(of: Self.instrument).isStale else {
      throw Broken("\(applied) of \(frames.count) messages were applied")
    }
    return (spent, allocations)
  }
}

func marketFrameToBook() throws -> [Figures] {
  let folder = "../shared/data/binance"
  let recordings = [
    ("market.frame-to-book.binance", "spot_btcusdt_20240808.gz"),
    ("market.frame-to-book.binance.usdm", "usdm_btcusdt_20240808.gz"),
  ]
  if recordings.allSatisfy({ access("\(Workspace.root)/\(folder)/\($0.1)", R_OK) == 0 }) {
    return try recordings.flatMap { name, file in
      let path = "\(Workspace.root)/\(folder)/\(file)"
      let benchmark = try MarketFrameBenchmark(name, recording: path)
      let figures = [try benchmark.run(), try benchmark.decoding()]
      return name.hasSuffix("usdm") ? figures : figures + (try benchmark.paced())
    }
  }
  note("  the recordings of \(folder) are absent; a seeded synthetic stream takes their place")
  return [try MarketFrameBenchmark(seed: 20_240_808).run()]
}
