import Chrono
import JSON
import OrderBook
import Recording
import Testing
import Units
import Venue

@testable import Venues

/// A recording of Binance played through a feed as its socket and REST would, with everything
/// checked that the recording allows: that updates follow each other, that no book is ever crossed,
/// and that the best levels are those of bookTicker wherever both tell of one update.
struct CaptureReplay {
  let feed: BinanceFeed
  private(set) var counts = CaptureCounts()
  private(set) var deltasBySymbol: [String: Int] = [:]
  private(set) var faults: [FeedFault] = []
  private(set) var snapshotRequests = 0
  private var output = FeedOutput()
  private var tops: [InstrumentID: [UInt64: TopOfBook]] = [:]
  /// Last ids of the updates that came before the first one that was applied.
  private var early: [InstrumentID: Set<UInt64>] = [:]
  /// Updates at which bookTicker told of another best level, and all that could be compared.
  private var snapshotIDs: [InstrumentID: UInt64] = [:]
  private var comparedAtSnapshot: Set<InstrumentID> = []
  private(set) var differing: Set<UInt64> = []
  private(set) var compared: [UInt64: TopOfBook] = [:]
  private var isOpen = false

  init(_ feed: BinanceFeed) { self.feed = feed }

  /// Instruments of futures with an update that ends exactly where the snapshot does: the venue's
  /// rule chains from it. It tells nothing new and is not applied. Spot's rule leaves it out.
  private var joined: Set<InstrumentID> {
    guard feed.market.chainsByPrevious else { return [] }
    return Set(snapshotIDs.filter { early[$0.key]?.contains($0.value) == true }.keys)
  }

  /// Updates that chain, and those among them of which bookTicker told too; and snapshots of which
  /// it told and no update did.
  var chained: Int { counts.deltas + joined.count }
  var bestChecks: Int { counts.bestChecks + joined.intersection(comparedAtSnapshot).count }
  var bestChecksOfSnapshots: Int { comparedAtSnapshot.subtracting(joined).count }

  mutating func play(_ frames: [RecordedFrame]) {
    if !isOpen, let first = frames.first {
      feed.opened(at: first.time, &output)
      take(first.time)
      isOpen = true
    }
    for frame in frames { play(frame) }
  }

  mutating func play(_ frame: RecordedFrame) {
    switch frame.kind {
    case .received:
      noteEarly(frame.bytes)
      feed.receive(frame.bytes, at: frame.time, &output)
    case .answered(let target):
      guard let instrument = instrument(target) else { return }
      feed.answered(
        FeedQuestion(.snapshot, instrument.id), frame.bytes, at: frame.time, &output)
    case .opened, .closed, .sent: return
    }
    take(frame.time)
  }

  private mutating func noteEarly(_ bytes: [UInt8]) {
    guard deltasBySymbol.count < feed.instruments.count,
      let data = try? JSONDocument(parsing: bytes).root["data"], let last = data["u"]?.uint64,
      data["e"]?.isString("depthUpdate") == true,
      let instrument = feed.instruments.first(where: { data["s"]?.string == $0.venueSymbol })
    else { return }
    early[instrument.id, default: []].insert(last)
  }

  /// Of the symbol in the request; recordings of one instrument do not name it.
  private func instrument(_ target: String) -> Instrument? {
    if target.isEmpty { return feed.instruments.first }
    return feed.instruments.first { target.contains("symbol=\($0.venueSymbol)&") }
  }

  private mutating func take(_ received: Instant) {
    faults += output.faults
    for wish in output.wishes {
      if case .get(_, _, let question, _) = wish, question.kind == .snapshot {
        snapshotRequests += 1
      }
    }
    for event in output.events { take(event, received) }
    output.removeAll()
  }

  private mutating func take(_ event: MarketEvent, _ received: Instant) {
    switch event {
    case .snapshot(let snapshot):
      counts.snapshots += 1
      snapshotIDs[snapshot.instrument] = snapshot.updateID
      note(snapshot.exchangeTime, snapshot.receivedTime, received)
      compare(snapshot.instrument)
    case .delta(let delta):
      counts.deltas += 1
      counts.levels += delta.bids.count + delta.asks.count
      deltasBySymbol[feed.instruments[Int(delta.instrument.index)].symbol, default: 0] += 1
      note(delta.exchangeTime, delta.receivedTime, received)
      compare(delta.instrument)
    case .top(let top):
      counts.tops += 1
      // At one update id the first ticker is the state; equal ones may follow.
      if tops[top.instrument]?[top.updateID] == nil {
        tops[top.instrument, default: [:]][top.updateID] = top
      }
      compare(top.instrument)
    case .trade(let trade):
      counts.trades += 1
      note(trade.exchangeTime, trade.receivedTime, received)
    case .stale: counts.stales += 1
    case .status: break
    }
  }

  private mutating func note(_ exchange: Instant, _ heard: Instant, _ received: Instant) {
    if exchange.nanoseconds <= 0 || heard.nanoseconds <= 0 || heard > received {
      counts.withoutTimes += 1
    }
    counts.leastDelay = min(counts.leastDelay, heard - exchange)
  }

  private mutating func compare(_ instrument: InstrumentID) {
    let book = feed.book(of: instrument)
    guard !book.isStale else { return }
    if book.book.isCrossed { counts.crossed += 1 }
    guard let top = tops[instrument]?.removeValue(forKey: book.lastUpdateID) else { return }
    let id = book.lastUpdateID
    if snapshotIDs[instrument] == id {
      comparedAtSnapshot.insert(instrument)
    } else {
      counts.bestChecks += 1
    }
    compared[id] = top
    if book.book.bestBid != top.bid || book.book.bestAsk != top.ask { differing.insert(id) }
  }
}

/// What a replay counted.
struct CaptureCounts: Sendable, Hashable {
  var snapshots = 0
  /// Updates in a book, those that bridged its snapshot included.
  var deltas = 0
  var levels = 0
  var tops = 0
  var trades = 0
  var stales = 0
  var crossed = 0
  /// Updates in a book of which bookTicker told too.
  var bestChecks = 0
  /// Events that lack one of their times, or were received after now.
  var withoutTimes = 0
  /// Received minus exchange time, the least of all: negative when the recorder's clock is behind.
  var leastDelay = Duration.seconds(1_000_000)
}

extension Instrument {
  /// As a recording needs it: names and scales.
  static func recorded(
    _ symbol: String, _ index: Int, priceScale: UInt8 = 8, quantityScale: UInt8 = 8
  ) -> Instrument {
    Instrument(
      id: InstrumentID(Int32(index)), venue: VenueID("binance"), symbol: symbol,
      venueSymbol: symbol, base: symbol, quote: "", priceScale: priceScale,
      quantityScale: quantityScale, tickSize: Price(1), lotSize: Quantity(1),
      minQuantity: Quantity(1), maxQuantity: Quantity(.max), minNotional: .zero)
  }
}

/// The answer to GET depth that shows this book.
func depthAnswer(_ book: SequencedBook, _ instrument: Instrument) -> [UInt8] {
  func write(_ side: Side, _ json: inout JSONWriter) {
    json.array { json in
      book.book.forEachLevel(side) { level in
        json.array { json in
          json.string("\(instrument.decimal(level.price))")
          json.string("\(instrument.decimal(level.quantity))")
        }
        return true
      }
    }
  }
  var json = JSONWriter()
  json.object { json in
    json.member("lastUpdateId", book.lastUpdateID)
    json.name("bids")
    write(.buy, &json)
    json.name("asks")
    write(.sell, &json)
  }
  return json.finished()
}
