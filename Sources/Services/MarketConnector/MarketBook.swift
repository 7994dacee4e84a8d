internal import Chrono
internal import Contracts
internal import MarketQuality
internal import OrderBook
internal import Units
internal import Venue

/// One instrument as the connector knows it: its book of now, and what is to be thought of it.
struct MarketBook {
  var instrument: Instrument
  let book: PriceLevelBook
  private(set) var monitor: QualityMonitor
  private(set) var updateID: UInt64 = 0
  private(set) var exchangeTime = Instant.epoch
  private(set) var receivedTime = Instant.epoch
  /// Why readers are told not to trust it; nil while they may.
  private(set) var staleReason: String? = "no snapshot yet"
  /// The feed's book is whole, and its changes are held back: a snapshot ends it.
  private var isWithheld = false

  init(_ instrument: Instrument, _ limits: QualityLimits) {
    self.instrument = instrument
    self.book = PriceLevelBook(levelsMax: 20_000)
    self.monitor = QualityMonitor(instrument, limits)
  }

  var flags: QualityFlags { isWithheld ? monitor.flags.union(.tainted) : monitor.flags }

  /// What readers are told of an event. `event` is nil when they are told nothing; it is another one
  /// than came when the book is held back or comes back. `taint` is told before it.
  struct Step {
    var taint: MarketEvent?
    var event: MarketEvent?
    var verdict: QualityVerdict
  }

  mutating func take(_ event: MarketEvent) -> Step {
    apply(event)
    let verdict = monitor.take(event, bid: book.bestBid, ask: book.bestAsk)
    var step = Step(verdict: verdict)
    switch event {
    case .trade, .top:
      step.taint = verdict.isTainted ? withhold("tainted", verdict) : nil
      step.event = verdict.isDiscarded ? nil : event
    case .stale, .status: step.event = event
    case .snapshot, .delta: step.event = published(event, verdict)
    }
    return step
  }

  /// Time has passed; `taint` is there when that alone makes the book untrustworthy.
  mutating func tick(at now: Instant) -> Step {
    let verdict = monitor.tick(at: now)
    return Step(taint: verdict.isTainted ? withhold("tainted", verdict) : nil, verdict: verdict)
  }

  var snapshot: BookSnapshot {
    book.snapshot(
      instrument: instrument.id, updateID: updateID, exchangeTime: exchangeTime,
      receivedTime: receivedTime)
  }

  private mutating func apply(_ event: MarketEvent) {
    switch event {
    case .snapshot(let snapshot):
      book.apply(snapshot)
      updateID = snapshot.updateID
      exchangeTime = snapshot.exchangeTime
      receivedTime = snapshot.receivedTime
      staleReason = nil
      isWithheld = false
    case .delta(let delta):
      book.apply(delta)
      updateID = delta.lastUpdateID
      exchangeTime = delta.exchangeTime
      receivedTime = delta.receivedTime
    case .stale(_, let reason):
      staleReason = reason
      isWithheld = false
    case .status(let status): instrument.isTrading = status.isTrading
    case .trade, .top: break
    }
  }

  /// A change of the book that readers are not to have cannot just be left out: what follows builds
  /// on it. They are told that the book is stale, and get it whole when it is good again.
  private mutating func published(
    _ event: MarketEvent, _ verdict: QualityVerdict
  ) -> MarketEvent? {
    if verdict.isDiscarded { return withhold("discarded", verdict) }
    if verdict.isTainted { return withhold("tainted", verdict) }
    guard isWithheld else { return event }
    isWithheld = false
    staleReason = nil
    return .snapshot(snapshot)
  }

  /// Nil when it is withheld already, or when its feed has lost it anyway.
  private mutating func withhold(_ word: String, _ verdict: QualityVerdict) -> MarketEvent? {
    if isWithheld { return nil }
    if staleReason != nil, flags.contains(.tainted) { return nil }
    isWithheld = true
    let reason = word + ": " + verdict.flags.names.joined(separator: ", ")
    staleReason = reason
    return .stale(instrument.id, reason: reason)
  }
}
