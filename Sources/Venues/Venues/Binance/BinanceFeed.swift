package import Chrono
internal import JSON
package import OrderBook
internal import Units
package import Venue

/// Binance's public streams of one connection: spot, USD-M and COIN-M futures.
///
/// Books: REST is asked for a snapshot when a connection is new and when a book has lost its place,
/// never otherwise; meanwhile deltas are kept. Spot: the first delta after snapshot L holds L + 1,
/// then ids have no holes. Futures: deltas name their predecessor (`pu`), and the first one follows
/// the snapshot's id or spans it. (developers.binance.com, "How to manage a local order book
/// correctly".)
///
/// Trades: ids have no holes; what is missing, also over a reconnect, is fetched and told late, as
/// back-filled.
/// Status: asked for with the instruments once a minute, as spot has no stream of it.
package final class BinanceFeed: PublicFeed {
  package let market: BinanceMarket
  package let instruments: [Instrument]
  package let target = "/stream"
  /// Levels a side of a snapshot.
  private let depthMax: Int
  private var codec: BinanceCodec
  private var states: [State]
  /// The id of the first instrument.
  private let first: Int
  private var subscription: StreamSubscription
  private var pause: ResyncPause
  private var nextStatus = Instant.epoch

  /// A book that stayed whole for this long has recovered: the next failure is a first one.
  package static let settledAfter = Duration.seconds(60)
  private static let statusInterval = Duration.seconds(60)
  /// Missed trades that are fetched; of longer stretches the last ones.
  package static let backfillMax = 1_000
  /// Stretches of missed trades that one request may be for; the oldest gives way.
  package static let missingMax = 100

  /// One instrument.
  private struct State {
    let instrument: Instrument
    let book: SequencedBook
    var isAsking = false
    var lastTrade: UInt64?
    /// Ids of trades that are being fetched.
    var missing: [ClosedRange<UInt64>] = []
    var isTrading: Bool
    /// Snapshots that did not help, or not for `settledAfter`, in a row.
    var failures = 0
    var wholeSince = Instant.epoch
  }

  /// Ids of the instruments must be their places in the list; the feed follows some of them.
  package init(
    _ market: BinanceMarket, _ all: [Instrument], following: Range<Int>? = nil,
    depthMax: Int = 1_000, levelsMax: Int = 20_000, bufferMax: Int = 1_000
  ) {
    self.market = market
    let instruments = Array(all[following ?? 0..<all.count])
    self.instruments = instruments
    first = following?.lowerBound ?? 0
    self.depthMax = min(depthMax, market.depthMax)
    codec = BinanceCodec(market, instruments)
    states = instruments.map {
      State(
        instrument: $0,
        book: SequencedBook(book: PriceLevelBook(levelsMax: levelsMax), bufferMax: bufferMax),
        isTrading: $0.isTrading)
    }
    let names = instruments.flatMap { instrument in
      market.streams.map { "\(instrument.venueSymbol.lowercased())@\($0)" }
    }
    subscription = StreamSubscription(names)
    pause = ResyncPause()
  }

  /// The book as it is, for checks.
  package func book(of instrument: InstrumentID) -> SequencedBook {
    states[Int(instrument.index) - first].book
  }

  // MARK: Connection

  package func opened(at now: Instant, _ output: inout FeedOutput) {
    for index in states.indices {
      states[index].book.reset()
      states[index].isAsking = false
      states[index].failures = 0
      // The answer of an earlier connection does not come any more.
      if !states[index].missing.isEmpty { askTrades(index, &output) }
    }
    nextStatus = now + Self.statusInterval
    subscription.begin(at: now, &output)
  }

  package func closed(reason: String, at now: Instant, _ output: inout FeedOutput) {
    for state in states {
      if !state.book.isStale { output.events.append(.stale(state.instrument.id, reason: reason)) }
      state.book.reset()
    }
  }

  package func tick(at now: Instant, _ output: inout FeedOutput) {
    subscription.tick(at: now, &output)
    guard now >= nextStatus, let first = instruments.first else { return }
    nextStatus = now + Self.statusInterval
    output.wishes.append(
      .get(
        target: "\(market.restPath)/exchangeInfo", weight: market.instrumentsWeight,
        FeedQuestion(.status, first.id), after: .zero))
  }

  package func receive(_ frame: [UInt8], at received: Instant, _ output: inout FeedOutput) {
    do throws(JSONError) {
      switch try codec.decode(frame, received: received) {
      case .depth: apply(&output)
      case .unreadableDepth(let id, let problem):
        output.faults.append(.malformed(problem))
        lose(Int(id.index) - first, problem, at: received, &output)
      case .trade(let trade): take(trade, &output)
      case .untraded(let id, let tradeID): pass(tradeID, Int(id.index) - first, &output)
      case .top(let top): output.events.append(.top(top))
      case .answer(let id, let refusal): subscription.answered(id, refusal, &output)
      case .other: break
      }
    } catch {
      output.faults.append(.malformed(error.description))
    }
  }

  package func answered(
    _ question: FeedQuestion, _ body: [UInt8], at received: Instant, _ output: inout FeedOutput
  ) {
    let index = Int(question.instrument.index) - first
    guard states.indices.contains(index) else { return }
    do throws(JSONError) {
      switch question.kind {
      case .snapshot:
        states[index].isAsking = false
        apply(
          try codec.snapshot(body, of: states[index].instrument, received: received), index,
          &output)
      case .trades:
        backfill(
          try codec.trades(body, of: states[index].instrument, received: received), index, &output)
      case .status: compare(try codec.statuses(body), at: received, &output)
      }
    } catch {
      output.faults.append(.malformed(error.description))
      if question.kind == .snapshot { ask(index, &output) }
    }
  }

  // MARK: Books

  private func apply(_ output: inout FeedOutput) {
    let index = Int(codec.delta.instrument.index) - first
    let book = states[index].book
    let wasStale = book.isStale
    switch book.apply(codec.delta) {
    case .applied: output.events.append(.delta(codec.delta))
    case .dropped, .buffered, .recovered: break
    case .requestSnapshot(let reason):
      guard wasStale else { return taint(index, reason, at: codec.delta.receivedTime, &output) }
      ask(index, &output)
    }
  }

  /// An update of this book is gone.
  private func lose(
    _ index: Int, _ problem: String, at now: Instant, _ output: inout FeedOutput
  ) {
    let book = states[index].book
    guard !book.isStale, case .requestSnapshot(let reason) = book.invalidate(problem) else {
      return
    }
    taint(index, reason, at: now, &output)
  }

  package func resynchronise(
    _ instrument: InstrumentID, reason: String, at now: Instant, _ output: inout FeedOutput
  ) {
    let index = Int(instrument.index) - first
    guard states.indices.contains(index), !states[index].book.isStale else { return }
    _ = states[index].book.invalidate(reason)
    ask(index, &output)
    output.events.append(.stale(instrument, reason: reason))
  }

  /// Says so, and asks for a snapshot: at once the first time, after growing pauses when a book does
  /// not stay whole.
  private func taint(
    _ index: Int, _ reason: BookDesync, at now: Instant, _ output: inout FeedOutput
  ) {
    let id = states[index].instrument.id
    output.faults.append(.gap(id, reason.reason))
    output.events.append(.stale(id, reason: reason.reason))
    if now - states[index].wholeSince >= Self.settledAfter { states[index].failures = 0 }
    ask(index, &output)
    states[index].failures += 1
  }

  private func apply(_ snapshot: BookSnapshot, _ index: Int, _ output: inout FeedOutput) {
    let book = states[index].book
    let wasStale = book.isStale
    switch book.apply(snapshot) {
    case .recovered:
      states[index].wholeSince = snapshot.receivedTime
      output.events.append(.snapshot(snapshot))
      for delta in book.bridged { output.events.append(.delta(delta)) }
    case .requestSnapshot(let reason):
      // Older than the kept deltas (the venue's REST lags its stream), or crossed.
      if !wasStale { return taint(index, reason, at: snapshot.receivedTime, &output) }
      states[index].failures += 1
      ask(index, &output)
    case .applied, .buffered, .dropped: break
    }
  }

  private func ask(_ index: Int, _ output: inout FeedOutput) {
    guard !states[index].isAsking else { return }
    states[index].isAsking = true
    let instrument = states[index].instrument
    output.wishes.append(
      .get(
        target:
          "\(market.restPath)/depth?symbol=\(instrument.venueSymbol)&limit=\(depthMax)",
        weight: market.depthWeight(limit: depthMax), FeedQuestion(.snapshot, instrument.id),
        after: pause.after(failures: states[index].failures)))
  }

  // MARK: Trades

  private func take(_ trade: Trade, _ output: inout FeedOutput) {
    if pass(trade.tradeID, Int(trade.instrument.index) - first, &output) {
      output.events.append(.trade(trade))
    }
  }

  /// False for an id that has been told already.
  @discardableResult
  private func pass(_ tradeID: UInt64, _ index: Int, _ output: inout FeedOutput) -> Bool {
    if let last = states[index].lastTrade {
      guard tradeID > last else { return false }
      if tradeID > last + 1 { miss(last + 1...tradeID - 1, index, &output) }
    }
    states[index].lastTrade = tradeID
    return true
  }

  private func miss(_ ids: ClosedRange<UInt64>, _ index: Int, _ output: inout FeedOutput) {
    let instrument = states[index].instrument
    output.faults.append(
      .missedTrades(instrument.id, "\(ids.lowerBound) to \(ids.upperBound)"))
    let isAsking = !states[index].missing.isEmpty
    if states[index].missing.count == Self.missingMax { states[index].missing.removeFirst() }
    states[index].missing.append(ids)
    if !isAsking { askTrades(index, &output) }
  }

  private func askTrades(_ index: Int, _ output: inout FeedOutput) {
    let instrument = states[index].instrument
    output.wishes.append(
      .get(
        target:
          "\(market.restPath)/trades?symbol=\(instrument.venueSymbol)&limit=\(Self.backfillMax)",
        weight: market.recentTradesWeight, FeedQuestion(.trades, instrument.id), after: .zero))
  }

  private func backfill(_ trades: [Trade], _ index: Int, _ output: inout FeedOutput) {
    let missing = states[index].missing
    states[index].missing = []
    for trade in trades where missing.contains(where: { $0.contains(trade.tradeID) }) {
      output.events.append(.trade(trade))
    }
  }

  // MARK: Status

  private func compare(
    _ statuses: [String: String], at received: Instant, _ output: inout FeedOutput
  ) {
    for index in states.indices {
      let instrument = states[index].instrument
      let text = statuses[instrument.venueSymbol] ?? "UNLISTED"
      let isTrading = text == "TRADING"
      guard isTrading != states[index].isTrading else { continue }
      states[index].isTrading = isTrading
      output.events.append(
        .status(
          TradingStatus(
            instrument: instrument.id, isTrading: isTrading, text: text, receivedTime: received)))
    }
  }
}
