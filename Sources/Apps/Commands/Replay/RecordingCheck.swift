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
  }

  /// Something to tell, with the number of the frame that showed it.
  struct Finding {
    let frame: Int
    let text: String
    /// A check that does not hold; else it is only worth knowing.
    let isFailure: Bool
  }

  private struct Heard {
    var counts = Counts()
    let book = PriceLevelBook()
    var updateID: UInt64 = 0
    var isWhole = false
    var wasCrossed = false
    /// Of futures: last ids of the updates before the first that was applied. One that ends where the
    /// snapshot does tells nothing new, and the next chains from it: it counts as one of the sequence.
    var early: Set<UInt64> = []
    var isJoined = false
    var isAtSnapshot = false
    /// An update was applied.
    var hasBegun = false
    /// The first that the venue told of each update to come.
    var tops: [UInt64: TopOfBook] = [:]

    /// The next snapshot begins it anew.
    mutating func lose() {
      (isWhole, isAtSnapshot, isJoined, hasBegun) = (false, false, false, false)
      early = []
      tops = [:]
    }
  }

  let survey: RecordingSurvey
  private var heard: [Heard]
  private(set) var findings: [Finding] = []
  private(set) var checksumFaults = 0
  /// Messages of OKX whose checksum, not zero, was compared and equal.
  private var checksumsOfOKX = 0
  private var output = FeedOutput()
  /// Connections that have said something and have not ended.
  private var talking: Set<Int> = []
  private var isOpen = false
  private var number = 0

  init(_ survey: RecordingSurvey) {
    self.survey = survey
    heard = survey.instruments.map { _ in Heard() }
  }

  var counts: [(symbol: String, counts: Counts)] {
    zip(survey.instruments, heard).map { ($0.symbol, $1.counts) }
  }

  /// Checksums that matched.
  var checksums: Int {
    survey.venue == .okx ? checksumsOfOKX : survey.verified()
  }

  mutating func play(_ frames: [RecordedFrame]) {
    for (index, frame) in frames.enumerated() {
      number = index + 1
      play(frame)
      take()
    }
  }

  private mutating func play(_ frame: RecordedFrame) {
    switch frame.kind {
    case .received:
      open(frame.time)
      talking.insert(frame.connection)
      if survey.venue == .binanceUSDM { noteEarly(frame) }
      survey.feed.receive(frame.bytes, at: frame.time, &output)
      if survey.venue == .okx, hasChecksum(frame), output.events.contains(where: \.isOfBook) {
        checksumsOfOKX += 1
      }
    case .answered(let target):
      // Binance alone has its snapshots from REST; lines of one instrument name no request.
      guard survey.comparesTops, target.isEmpty || target.contains("/depth?"),
        let instrument = instrument(target)
      else { return }
      open(frame.time)
      survey.feed.answered(
        FeedQuestion(.snapshot, instrument.id), frame.bytes, at: frame.time, &output)
    case .closed:
      // What other connections say goes on.
      guard talking.remove(frame.connection) != nil, talking.isEmpty else { return }
      survey.feed.closed(reason: "the connection ended", at: frame.time, &output)
      isOpen = false
    case .opened, .sent: return
    }
  }

  private mutating func open(_ time: Instant) {
    if !isOpen { survey.feed.opened(at: time, &output) }
    isOpen = true
  }

  /// Of the symbol in the request; recordings of one instrument need not name it.
  private func instrument(_ target: String) -> Instrument? {
    survey.instruments.first { target.contains("symbol=\($0.venueSymbol)&") }
      ?? (survey.instruments.count == 1 ? survey.instruments.first : nil)
  }

  private func hasChecksum(_ frame: RecordedFrame) -> Bool {
    guard let root = RecordingSurvey.root(frame),
      root["arg"]?["channel"]?.string?.hasPrefix("book") == true,
      let sum = root["data"]?[0]?["checksum"]?.int64
    else { return false }
    return sum != 0
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

  private mutating func take() {
    for fault in output.faults {
      if case .checksum = fault { checksumFaults += 1 }
      // The exchange has those trades; its stream did not tell them.
      let isFailure = if case .missedTrades = fault { false } else { true }
      tell(Self.text(fault, survey.instruments), isFailure: isFailure)
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
      heard[index].isWhole = true
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
      // Those of updates that the book has passed are compared with nothing.
      let isToCome = !heard[index].isWhole || top.updateID >= heard[index].updateID
      if heard[index].tops[top.updateID] == nil, isToCome {
        heard[index].tops[top.updateID] = top
      }
      compare(index)
    case .trade: heard[index].counts.trades += 1
    case .stale: heard[index].lose()
    case .status: break
    }
  }

  private mutating func compare(_ index: Int) {
    let book = heard[index].book
    guard heard[index].isWhole else { return }
    let symbol = survey.instruments[index].symbol
    if book.isCrossed, !heard[index].wasCrossed { tell("\(symbol): the book is crossed") }
    heard[index].wasCrossed = book.isCrossed
    guard let top = heard[index].tops.removeValue(forKey: heard[index].updateID) else { return }
    if heard[index].isAtSnapshot, !heard[index].isJoined {
      heard[index].counts.comparedAtSnapshot += 1
    } else {
      heard[index].counts.compared += 1
    }
    guard top.bid != book.bestBid || top.ask != book.bestAsk else { return }
    heard[index].counts.different += 1
    tell("\(symbol): other best prices at update \(top.updateID) than the exchange told")
  }

  private mutating func tell(_ text: String, isFailure: Bool = true) {
    findings.append(Finding(frame: number, text: text, isFailure: isFailure))
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

extension MarketEvent {
  fileprivate var isOfBook: Bool {
    switch self {
    case .snapshot, .delta: true
    case .top, .trade, .stale, .status: false
    }
  }
}
