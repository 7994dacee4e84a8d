internal import Chrono
internal import JSON
internal import OrderBook
internal import Recording
internal import Units
internal import Venue
internal import Venues

/// Recordings played through an adapter's feed, as its socket and REST would bring them, with
/// everything counted that they allow to check: sequences, checksums, and best prices of their own.
struct RecordingCheck {
  struct Counts {
    var snapshots = 0
    var updates = 0
    var levels = 0
    var trades = 0
    var tops = 0
    /// Best prices that the venue told of an update at which our book was; of those at a snapshot; and
    /// those of both that differed.
    var compared = 0
    var comparedAtSnapshot = 0
    var different = 0
    var stales = 0
  }

  private struct Heard {
    var counts = Counts()
    let book = PriceLevelBook()
    var updateID: UInt64 = 0
    /// Of futures: last ids of the updates before the first that was applied. One that ends where the
    /// snapshot does tells nothing new, and the next chains from it: it counts as one of the sequence.
    var early: Set<UInt64> = []
    var isJoined = false
    var isAtSnapshot = false
    /// An update was applied.
    var hasBegun = false
    /// The first that the venue told of each update to come.
    var tops: [UInt64: TopOfBook] = [:]
  }

  let survey: RecordingSurvey
  private var heard: [Heard]
  /// Faults with the number of the frame that showed them.
  private(set) var faults: [(frame: Int, text: String)] = []
  private(set) var checksumFaults = 0
  /// Messages of OKX with a checksum that is not zero.
  private var checksumsTold = 0
  private(set) var isCrossed = false
  private var output = FeedOutput()

  init(_ survey: RecordingSurvey) {
    self.survey = survey
    heard = survey.instruments.map { _ in Heard() }
  }

  var counts: [(symbol: String, counts: Counts)] {
    zip(survey.instruments, heard).map { ($0.symbol, $1.counts) }
  }

  /// Checksums that matched.
  var checksums: Int {
    survey.venue == .okx ? checksumsTold - checksumFaults : survey.verified()
  }

  mutating func play(_ frames: [RecordedFrame]) {
    guard let first = frames.first else { return }
    survey.feed.opened(at: first.time, &output)
    take(0)
    for (index, frame) in frames.enumerated() { play(frame, index + 1) }
  }

  private mutating func play(_ frame: RecordedFrame, _ number: Int) {
    switch frame.kind {
    case .received:
      if survey.venue == .okx { noteChecksum(frame) }
      if survey.venue == .binanceUSDM { noteEarly(frame) }
      survey.feed.receive(frame.bytes, at: frame.time, &output)
    case .answered(let target):
      // Binance alone has its snapshots from REST.
      guard let instrument = instrument(target), survey.comparesTops else { return }
      survey.feed.answered(
        FeedQuestion(.snapshot, instrument.id), frame.bytes, at: frame.time, &output)
    case .opened, .closed, .sent: return
    }
    take(number)
  }

  /// Of the symbol in the request; recordings of one instrument need not name it.
  private func instrument(_ target: String) -> Instrument? {
    survey.instruments.first { target.contains("symbol=\($0.venueSymbol)&") }
      ?? (survey.instruments.count == 1 && !target.contains("exchangeInfo")
        ? survey.instruments.first : nil)
  }

  private mutating func noteChecksum(_ frame: RecordedFrame) {
    guard let root = RecordingSurvey.root(frame),
      root["arg"]?["channel"]?.string?.hasPrefix("book") == true,
      let sum = root["data"]?[0]?["checksum"]?.int64, sum != 0
    else { return }
    checksumsTold += 1
  }

  private mutating func noteEarly(_ frame: RecordedFrame) {
    guard heard.contains(where: { !$0.hasBegun }), let root = RecordingSurvey.root(frame) else {
      return
    }
    let data = root["data"] ?? root
    guard let last = data["u"]?.uint64, data["pu"] != nil, let symbol = data["s"]?.string,
      let index = survey.instruments.firstIndex(where: { $0.venueSymbol == symbol }),
      !heard[index].hasBegun
    else { return }
    heard[index].early.insert(last)
    join(index)
  }

  /// An update that ends where the snapshot does is the first of the sequence.
  private mutating func join(_ index: Int) {
    guard heard[index].isAtSnapshot, !heard[index].isJoined,
      heard[index].early.contains(heard[index].updateID)
    else { return }
    heard[index].isJoined = true
    heard[index].counts.updates += 1
    heard[index].counts.compared += heard[index].counts.comparedAtSnapshot
    heard[index].counts.comparedAtSnapshot = 0
  }

  private mutating func take(_ number: Int) {
    for fault in output.faults {
      if case .checksum = fault { checksumFaults += 1 }
      faults.append((number, Self.text(fault, survey.instruments)))
    }
    for event in output.events { take(event) }
    output.removeAll()
  }

  private mutating func take(_ event: MarketEvent) {
    let index = Int(event.instrument.index)
    switch event {
    case .snapshot(let snapshot):
      heard[index].counts.snapshots += 1
      heard[index].book.apply(snapshot)
      heard[index].updateID = snapshot.updateID
      heard[index].isAtSnapshot = true
      join(index)
      compare(index)
    case .delta(let delta):
      heard[index].counts.updates += 1
      heard[index].counts.levels += delta.bids.count + delta.asks.count
      heard[index].book.apply(delta)
      heard[index].updateID = delta.lastUpdateID
      heard[index].isAtSnapshot = false
      heard[index].hasBegun = true
      compare(index)
    case .top(let top):
      heard[index].counts.tops += 1
      guard survey.comparesTops else { return }
      if heard[index].tops[top.updateID] == nil, top.updateID >= heard[index].updateID {
        heard[index].tops[top.updateID] = top
      }
      compare(index)
    case .trade: heard[index].counts.trades += 1
    case .stale: heard[index].counts.stales += 1
    case .status: break
    }
  }

  private mutating func compare(_ index: Int) {
    let book = heard[index].book
    if book.isCrossed { isCrossed = true }
    guard let top = heard[index].tops.removeValue(forKey: heard[index].updateID) else { return }
    if heard[index].isAtSnapshot, !heard[index].isJoined {
      heard[index].counts.comparedAtSnapshot += 1
    } else {
      heard[index].counts.compared += 1
    }
    if top.bid != book.bestBid || top.ask != book.bestAsk { heard[index].counts.different += 1 }
  }

  private static func text(_ fault: FeedFault, _ instruments: [Instrument]) -> String {
    func named(_ id: InstrumentID, _ text: String) -> String {
      "\(instruments[Int(id.index)].symbol): \(text)"
    }
    switch fault {
    case .malformed(let text): return "cannot be read: \(text)"
    case .gap(let id, let text): return named(id, text)
    case .checksum(let id, let text): return named(id, text)
    case .missedTrades(let id, let text): return named(id, "trades are missing: \(text)")
    case .refused(let text): return "the venue refuses: \(text)"
    }
  }
}

extension RecordingSurvey {
  /// Its best prices carry the id of the update that they follow from.
  var comparesTops: Bool { venue == .binance || venue == .binanceUSDM }
}
