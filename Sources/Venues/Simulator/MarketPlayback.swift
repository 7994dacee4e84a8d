internal import Chrono
internal import JSON
internal import OrderBook
internal import Units
internal import Venue

/// A recorded market as it stands: the book at the last played message, with our orders in it.
///
/// The book begins with the recorder's snapshot, so that a client which asks for depth before the
/// tape has reached that place gets the recorder's own answer.
package final class MarketPlayback {
  /// What a message of a book came to.
  struct Step {
    var events: [MatchEvent] = []
    /// What listeners are to be told; nil for nothing new.
    var window: DepthWindow?
    /// Why the recording cannot be followed until its next snapshot.
    var problem: String?
  }

  let book: PlaybackBook
  private let market: SimulatedMarket
  private let dialect: VenueDialect
  /// Levels a side; nil for all.
  private let depth: Int?
  private(set) var lastUpdateID: UInt64
  /// Whether the recording has told everything since its last snapshot.
  private var isWhole = true
  /// The venue's number of the last message; nil where it gives none.
  private var sequence: Int64?
  /// Recorded checksums that were compared with the book's, and the last of them.
  private(set) var checksumCount = 0
  private(set) var lastChecksum: Int64?

  private static let ordersMax = 100_000

  init(
    _ market: SimulatedMarket, _ snapshot: BookSnapshot, _ dialect: VenueDialect = .binance,
    depth: Int? = nil
  ) {
    book = PlaybackBook(ordersMax: Self.ordersMax)
    self.market = market
    self.dialect = dialect
    self.depth = depth
    lastUpdateID = snapshot.updateID
    var none: [MatchEvent] = []
    book.play(snapshot, into: &none)
  }

  convenience init(_ capture: MarketCapture, _ dialect: VenueDialect) {
    self.init(capture.market, capture.snapshot, dialect, depth: capture.depth)
  }

  /// What a message of Binance did to our orders.
  func play(_ kind: StreamKind, _ payload: [UInt8]) throws(JSONError) -> [MatchEvent] {
    var events: [MatchEvent] = []
    let reader = CaptureReader(market)
    switch kind {
    case .depthFast, .depthSlow:
      let delta = try reader.delta(payload)
      guard delta.lastUpdateID > lastUpdateID else { break }
      book.play(delta, into: &events)
      lastUpdateID = delta.lastUpdateID
    case .trade: book.play(try reader.trade(payload), into: &events)
    case .bookTicker: break
    }
    return events
  }

  /// A trade did so to our orders.
  func play(_ trade: RecordedTrade) -> [MatchEvent] {
    var events: [MatchEvent] = []
    book.play(
      Trade(
        instrument: market.instrument.id, tradeID: trade.id ?? 0, price: trade.price,
        quantity: trade.quantity, aggressor: trade.aggressor, exchangeTime: .epoch,
        receivedTime: .epoch), into: &events)
    return events
  }

  // MARK: Books of Kraken and OKX

  /// Brings the book to what the message says. An update that does not fit in, as its predecessor or
  /// its checksum tells, ends the recording's word until its next snapshot.
  func play(_ recorded: RecordedBook) -> Step {
    var step = Step()
    guard recorded.isSnapshot || isWhole else { return step }
    if !recorded.isSnapshot, let previous = recorded.previous, let sequence, previous != sequence {
      isWhole = false
      step.problem = "the message after \(sequence) is missing: the next one names \(previous)"
      return step
    }
    sequence = recorded.sequence
    isWhole = true
    let id = recorded.sequence.map { UInt64(max(0, $0)) } ?? lastUpdateID + 1
    var changes = recorded.isSnapshot ? difference(to: recorded) : (recorded.bids, recorded.asks)
    apply(changes, &step.events)
    if let depth {
      let cut = (beyond(depth, .buy), beyond(depth, .sell))
      apply(cut, &step.events)
      changes = (changes.0 + cut.0, changes.1 + cut.1)
    }
    if let checksum = recorded.checksum { compare(checksum, &step) }
    guard !changes.0.isEmpty || !changes.1.isEmpty else { return step }
    lastUpdateID = id
    var window = DepthWindow()
    for level in changes.0 { window.note(.buy, level.price, level.quantity, id) }
    for level in changes.1 { window.note(.sell, level.price, level.quantity, id) }
    step.window = window
    return step
  }

  private typealias Changes = ([PriceLevel], [PriceLevel])

  private func apply(_ changes: Changes, _ events: inout [MatchEvent]) {
    guard !changes.0.isEmpty || !changes.1.isEmpty else { return }
    let id = book.lastUpdateID + 1
    book.play(
      BookDelta(
        instrument: market.instrument.id, firstUpdateID: id, lastUpdateID: id,
        exchangeTime: .epoch, receivedTime: .epoch, bids: changes.0, asks: changes.1),
      into: &events)
  }

  /// What has to change for the book to be that of a snapshot.
  private func difference(to snapshot: RecordedBook) -> Changes {
    func side(_ side: Side, _ new: [PriceLevel]) -> [PriceLevel] {
      let prices = Set(new.map(\.price))
      let gone = book.market.levels(side, max: .max).filter { !prices.contains($0.price) }
      return gone.map { PriceLevel(price: $0.price, quantity: .zero) }
        + new.filter { book.market.quantity(side, at: $0.price) != $0.quantity }
    }
    return (side(.buy, snapshot.bids), side(.sell, snapshot.asks))
  }

  /// The recorder's subscriber cut its book to its depth after each message; so must we.
  private func beyond(_ depth: Int, _ side: Side) -> [PriceLevel] {
    guard book.market.levelCount(side) > depth else { return [] }
    var cut: [PriceLevel] = []
    var place = 0
    book.market.forEachLevel(side) { level in
      if place >= depth { cut.append(PriceLevel(price: level.price, quantity: .zero)) }
      place += 1
      return true
    }
    return cut
  }

  private func compare(_ expected: Int64, _ step: inout Step) {
    let view = DepthView(depth: 25, book.market)
    let ours =
      switch dialect {
      case .kraken: Int64(market.krakenChecksum(bids: view.bids, asks: view.asks))
      case .okx: Int64(market.okxChecksum(bids: view.bids, asks: view.asks))
      case .binance: expected
      }
    checksumCount += 1
    lastChecksum = expected
    guard ours != expected else { return }
    isWhole = false
    step.problem = "the recorded checksum is \(expected), the book's \(ours)"
  }
}

extension SimulatedExchange {
  /// One recorded message: to the book and our orders in it, and to everyone who listens. Returns what
  /// is wrong with the recording.
  mutating func play(_ message: CaptureMessage, market index: Int) throws(JSONError) -> String? {
    guard let playback = markets[index].engine.playback else { return nil }
    var events: [MatchEvent] = []
    var problem: String?
    switch message.content {
    case .verbatim(let kind, let payload):
      events = try playback.play(kind, payload)
      publish(.recorded(market: index, kind, payload: payload))
    case .book(let recorded):
      let step = playback.play(recorded)
      (events, problem) = (step.events, step.problem)
      if let window = step.window { publish(window, at: recorded.time ?? now, index) }
    case .trades(let trades):
      for trade in trades {
        let told = PublicTrade(
          id: trade.id ?? markets[index].takeTradeID(), price: trade.price,
          quantity: trade.quantity, aggressor: trade.aggressor, time: trade.time ?? now)
        markets[index].traded(told)
        republish(Happening(time: told.time, what: .trade(market: index, told)))
        events += playback.play(trade)
      }
    }
    guard !events.isEmpty else { return problem }
    settle(MarketEngine.result(of: events, placed: nil), index)
    publishBalances()
    return problem
  }

  private mutating func publish(_ window: DepthWindow, at time: Instant, _ index: Int) {
    republish(Happening(time: time, what: .window(market: index, .depthFast, window)))
    let (bid, ask) = (markets[index].engine.best(.buy), markets[index].engine.best(.sell))
    guard markets[index].feed.topChanged(bid: bid, ask: ask) else { return }
    republish(
      Happening(
        time: time, what: .top(market: index, updateID: window.last, bid: bid, ask: ask)))
  }
}
