package import Chrono
internal import Units
internal import Venue

/// The simulated exchange without its sockets: time and requests in, messages and records out.
///
/// It never looks at a clock: `advance(to:)` brings the background flow and the depth streams up to
/// a moment, in the order of their own times, so that what it publishes depends on the seed, the
/// start and the requests alone, not on how often it is called.
package struct SimulatedExchange: ~Copyable {
  package let settings: ExchangeSettings
  var markets: [ExchangeMarket]
  let marketBySymbol: [String: Int]
  var accounts: [SimulatedAccount]
  let accountByKey: [String: Int]
  var ledger: OrderLedger
  var listenKeys: ListenKeys
  var random: FlowRandom

  private(set) var now: Instant
  var nextOrderID: UInt64
  var nextExecutionID: UInt64 = 1
  private var nextFastFlush: Instant
  private var nextSlowFlush: Instant
  private var happenings: [Happening] = []
  private var records: [ExchangeRecord] = []

  static let fastInterval = Duration.milliseconds(100)
  static let slowInterval = Duration.seconds(1)

  /// `playbacks`: recorded markets by symbol; they have no background flow.
  package init(
    settings: ExchangeSettings, start: Instant, playbacks: [String: MarketPlayback] = [:]
  ) {
    self.settings = settings
    self.now = start
    self.nextFastFlush = start + Self.fastInterval
    self.nextSlowFlush = start + Self.slowInterval
    // A hundred ids for every millisecond since 2020: a restarted exchange never repeats one.
    let firstID = UInt64(max(1, (start.milliseconds - 1_577_836_800_000) * 100))
    self.nextOrderID = firstID
    self.random = FlowRandom(seed: settings.seed)
    self.accounts = settings.accounts.map(SimulatedAccount.init)
    self.accountByKey = Dictionary(
      uniqueKeysWithValues: settings.accounts.enumerated().map { ($1.apiKey, $0) })
    self.ledger = OrderLedger(historyMax: settings.historyMax)
    self.listenKeys = ListenKeys(lifetime: settings.listenKeyLifetime)
    self.marketBySymbol = Dictionary(
      uniqueKeysWithValues: settings.markets.enumerated().map { ($1.symbol, $0) })
    self.markets = settings.markets.enumerated().map { index, market in
      let playback = playbacks[market.symbol]
      let seed = settings.seed &+ UInt64(index) &* 0x9e37_79b9
      return ExchangeMarket(
        settings: market,
        engine: playback.map(MarketEngine.playback) ?? .generated,
        flow: playback == nil ? BackgroundFlow(market: market, seed: seed, start: start) : nil,
        firstUpdateID: firstID, firstTradeID: firstID)
    }
    for index in markets.indices { openBook(index) }
  }

  /// What has happened since the last call.
  mutating func takeHappenings() -> [Happening] {
    defer { happenings.removeAll(keepingCapacity: true) }
    return happenings
  }

  /// What must be on disk before an answer leaves, since the last call.
  mutating func takeRecords() -> [ExchangeRecord] {
    defer { records.removeAll(keepingCapacity: true) }
    return records
  }

  mutating func publish(_ what: Happening.What) {
    happenings.append(Happening(time: now, what: what))
  }

  mutating func republish(_ happening: Happening) { happenings.append(happening) }
  mutating func record(_ record: ExchangeRecord) { records.append(record) }

  /// When something will happen by itself next.
  package var nextEventTime: Instant {
    markets.compactMap { $0.flow?.nextTime }.reduce(min(nextFastFlush, nextSlowFlush), min)
  }

  /// Lets everything happen that is due at `moment` or before; an earlier moment changes nothing.
  package mutating func advance(to moment: Instant) {
    while nextEventTime <= moment {
      let time = nextEventTime
      now = max(now, time)
      // Order matters for the tape: flow in the order of markets, then the depth streams.
      for index in markets.indices where markets[index].flow?.nextTime == time {
        runFlow(index)
      }
      if nextFastFlush == time { flushFast() }
      if nextSlowFlush == time { flushSlow() }
    }
    now = max(now, moment)
  }

  /// Halts trading in a market, or lets it go on.
  mutating func halt(_ index: Int, _ isHalted: Bool) {
    guard markets[index].isHalted != isHalted else { return }
    markets[index].isHalted = isHalted
    publish(.status(market: index))
  }

  // MARK: Background flow

  private mutating func openBook(_ index: Int) {
    guard let commands = markets[index].flow?.opening() else { return }
    for command in commands { run(command, index) }
    // The opening is the state that the first snapshot shows, not news.
    _ = markets[index].feed.takeFast()
    _ = markets[index].feed.takeSlow()
    _ = takeHappenings()
  }

  private mutating func runFlow(_ index: Int) {
    guard let command = markets[index].flow?.next(), !markets[index].isHalted else { return }
    run(command, index)
    publishBalances()
  }

  private mutating func run(_ command: BackgroundFlow.Command, _ index: Int) {
    switch command {
    case .place(let side, let price, let quantity):
      let id = takeOrderID()
      let result = markets[index].engine.place(
        EngineOrder(
          id: id, owner: 0, side: side, limit: price, quantity: quantity, timeInForce: .gtc))
      if result.rested > .zero { markets[index].flow?.rested(id, side, at: price) }
      settle(result, index)
    case .take(let side, let quantity):
      let id = takeOrderID()
      let result = markets[index].engine.place(
        EngineOrder(
          id: id, owner: 0, side: side, limit: nil, quantity: quantity, timeInForce: .ioc))
      settle(result, index)
    case .cancel(let id):
      guard let level = markets[index].engine.cancel(id) else { return }
      markets[index].flow?.gone(id, level.side)
      publishBook([level], index)
    }
  }

  mutating func takeOrderID() -> UInt64 {
    defer { nextOrderID += 1 }
    return nextOrderID
  }

  // MARK: Publishing

  /// The consequences of a command for everyone: what befell orders told to whose they are, then the
  /// book.
  mutating func settle(_ result: EngineResult, _ index: Int) {
    for change in result.changes {
      switch change {
      case .fill(let fill): settle(fill, index)
      case .prevented(let maker, let taker, let quantity):
        let match = markets[index].takePreventedID()
        prevented(maker, quantity, match, counterOrderID: taker)
        prevented(taker, quantity, match, counterOrderID: maker)
      case .expired(let id, true):
        guard let order = ledger[id], order.isOpen else { continue }
        prevented(id, order.remaining, markets[index].takePreventedID(), counterOrderID: nil)
      case .expired(let id, false): expired(id)
      case .triggered(let id): triggered(id)
      }
    }
    publishBook(result.changedLevels, index)
  }

  private mutating func settle(_ fill: EngineFill, _ index: Int) {
    let trade = PublicTrade(
      id: markets[index].takeTradeID(), price: fill.price, quantity: fill.quantity,
      aggressor: fill.aggressor, time: now)
    if !markets[index].engine.isPlayback {
      markets[index].traded(trade)
      publish(.trade(market: index, trade))
    }
    if ledger[fill.maker] != nil {
      filled(fill.maker, trade, isMaker: true)
    } else if fill.makerIsDone {
      markets[index].flow?.gone(fill.maker, fill.aggressor.opposite)
    }
    if ledger[fill.taker] != nil { filled(fill.taker, trade, isMaker: false) }
  }

  mutating func publishBook(_ levels: [EngineLevel], _ index: Int) {
    guard !levels.isEmpty, !markets[index].engine.isPlayback else { return }
    for level in levels {
      let total = markets[index].engine.quantity(level.side, level.price)
      markets[index].feed.changed(level.side, level.price, to: total)
    }
    let (bid, ask) = (markets[index].engine.best(.buy), markets[index].engine.best(.sell))
    guard markets[index].feed.topChanged(bid: bid, ask: ask) else { return }
    publish(.top(market: index, updateID: markets[index].feed.lastUpdateID, bid: bid, ask: ask))
  }

  private mutating func flushFast() {
    for index in markets.indices {
      guard let window = markets[index].feed.takeFast() else { continue }
      publish(.window(market: index, .depthFast, window))
      if markets[index].tellsOrders {
        publish(
          .orders(
            market: index, bids: markets[index].engine.orders(.buy),
            asks: markets[index].engine.orders(.sell)))
      }
    }
    nextFastFlush = nextFastFlush + Self.fastInterval
  }

  private mutating func flushSlow() {
    for index in markets.indices {
      guard let window = markets[index].feed.takeSlow() else { continue }
      publish(.window(market: index, .depthSlow, window))
    }
    nextSlowFlush = nextSlowFlush + Self.slowInterval
  }
}
