internal import Chrono
internal import MarketQuality
internal import OrderBook
internal import Telemetry
internal import TickRing
internal import Units
internal import Venue

/// One venue's hand in the ring of ticks: a tick for each change of a touch or of what is wrong with
/// it, and for each trade. A book that is heard and stays as it is gets one now and then, so that
/// readers know how old their prices are.
struct TickPen {
  private struct Line {
    var number: TickWriter.Number?
    var bid: PriceLevel?
    var ask: PriceLevel?
    /// Nil before the first tick.
    var flags: UInt32?
    var received = Instant.epoch
  }

  private let outlet: TickOutlet
  private let refresh: Duration
  private let touches: Counter
  private let flagged: Counter
  private let refreshed: Counter
  private let trades: Counter
  /// By instrument.
  private var lines: [Line] = []
  /// The venue's stream is held back: what is known is not what is.
  private(set) var isHeld = false

  init(_ outlet: TickOutlet, _ venue: String, _ config: Config, _ metrics: MetricsRegistry) {
    self.outlet = outlet
    refresh = config.ticks.refresh
    let written = metrics.counters(
      "market_connector_ticks_written_total",
      help: "Ticks by why they were written: touch, flags, refresh or trade.",
      labels: ["venue", "kind"])
    touches = written.with(venue, "touch")
    flagged = written.with(venue, "flags")
    refreshed = written.with(venue, "refresh")
    trades = written.with(venue, "trade")
  }

  /// A tick of every book as it is, for a ring that begins.
  mutating func begin(_ books: [MarketBook], at now: Instant) {
    lines = books.map { Line(number: outlet.number(of: $0.instrument)) }
    for book in books { touch(book, at: now) }
  }

  /// `event` was taken by the book; `isPassedOn`: it was not discarded.
  mutating func take(_ event: MarketEvent, _ book: MarketBook, isPassedOn: Bool, at now: Instant) {
    if case .trade(let trade) = event, isPassedOn { write(trade, book) }
    touch(book, at: event.receivedTime ?? now)
  }

  /// A tick when the touch has changed, or what is wrong with it, or a while has gone by.
  mutating func touch(_ book: MarketBook, at received: Instant) {
    let index = Int(book.instrument.id.index)
    guard lines.indices.contains(index), let number = lines[index].number else { return }
    let (bid, ask, flags) = (book.book.bestBid, book.book.bestAsk, flags(of: book))
    let line = lines[index]
    if line.bid != bid || line.ask != ask {
      touches.increment()
    } else if line.flags != flags {
      flagged.increment()
    } else if received - line.received >= refresh {
      refreshed.increment()
    } else {
      return
    }
    lines[index] = Line(number: number, bid: bid, ask: ask, flags: flags, received: received)
    outlet.write(
      TickEvent(
        exchangeTime: book.exchangeTime, receivedTime: received, bid: bid, ask: ask, flags: flags),
      of: number)
  }

  private func write(_ trade: Trade, _ book: MarketBook) {
    let index = Int(book.instrument.id.index)
    guard lines.indices.contains(index), let number = lines[index].number else { return }
    trades.increment()
    outlet.write(TickEvent(trade, quality: book.flags.rawValue), of: number)
  }

  private func flags(of book: MarketBook) -> UInt32 {
    let isTrusted = book.staleReason == nil && !isHeld
    return book.flags.rawValue | (isTrusted ? 0 : Tick.distrustMark)
  }

  // MARK: Held back

  /// None of the venue's books is to be trusted until it is let go.
  mutating func hold(_ books: [MarketBook], at now: Instant) {
    guard !isHeld else { return }
    isHeld = true
    for book in books { touch(book, at: now) }
  }

  mutating func letGo(_ books: [MarketBook], at now: Instant) {
    guard isHeld else { return }
    isHeld = false
    for book in books { touch(book, at: now) }
  }
}
