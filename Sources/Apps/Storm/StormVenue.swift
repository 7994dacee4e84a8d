internal import Chrono
internal import Contracts
internal import Loop
internal import OrderBook
internal import Translation
internal import Units
internal import Venue
internal import VenueSimulator

/// One exchange of the storm: the simulator's engine on a loop of its own, and what goes wrong there.
///
/// `@unchecked Sendable`: touched on the scheduler's thread only.
final class StormVenue: @unchecked Sendable {
  let name: String
  let loop: EventLoop
  let instruments: [Instrument]
  let scheduler: SimulatedScheduler
  private let start: Instant
  private var exchange: DirectExchange
  private(set) var random: SeededRandom
  /// Told of every order and amendment that comes, and of every report that goes.
  var placed: ((VenueOrder, VenueOutcome) -> Void)?
  var amended: ((VenueAmendment, VenueOutcome) -> Void)?
  var reported: ((VenueReport) -> Void)?
  /// Told when an order leaves for here.
  var sent: ((VenueOrder) -> Void)?
  private(set) weak var session: EngineSession?
  /// The newest one, also when it hears nothing now.
  private weak var reader: EngineSession?

  // What goes wrong, in a million requests, and until when.
  var answersLost = 0
  var stragglers = 0
  var lateFills = 0
  var bannedUntil = Uptime(nanoseconds: 0)
  var lateRejections = 0
  private(set) var faultsMet = 0
  /// The market does not move, and nothing of it is made up for later but all at once.
  var isStill = false
  /// Digits of prices beyond the engine's, by market, and markets that are off the list.
  fileprivate var digits: [Int: UInt8] = [:]
  fileprivate var unlisted: Set<Int> = []
  /// Orders that were taken, and then rejected.
  private var rejected: Set<String> = []

  init(
    _ name: String, _ scheduler: SimulatedScheduler, seed: UInt64, feeAsset: FeeAsset,
    tradesWithItself: Bool
  ) {
    self.name = name
    self.scheduler = scheduler
    loop = scheduler.loop("venue \(name)")
    random = SeededRandom(seed: seed)
    start = StormSettings.start
    var settings = ExchangeSettings(
      dialect: tradesWithItself ? .binance : .kraken, markets: Self.markets(name),
      accounts: [
        SimulatedAccountSettings(apiKey: "storm", secret: [], balances: Self.balances)
      ], seed: seed, feeAsset: feeAsset, historyMax: 100_000_000)
    settings.limitFactor = 1_000
    exchange = DirectExchange(settings, start: start)
    instruments = exchange.instruments
  }

  private static let balances = [
    "USDT": Decimal(units: 9_000_000_000, scale: 0), "BTC": Decimal(units: 1_000_000, scale: 0),
    "ETH": Decimal(units: 1_000_000, scale: 0), "SOL": Decimal(units: 10_000_000, scale: 0),
  ]

  /// The three against USDT, with a calm flow: the traders are the storm's own.
  private static func markets(_ venue: String) -> [SimulatedMarket] {
    SimulatedMarket.standard.map { standard in
      var market = standard
      market.instrument.venue = VenueID(venue)
      market.instrument.features.insert(venue == "okx" ? .amend : .market)
      if venue == "kraken" { market.instrument.features.insert(.reduce) }
      market.eventsPerSecond = 2
      return market
    }
  }

  // MARK: Time

  private var now: Instant { start + .nanoseconds(Int64(scheduler.uptime.nanoseconds)) }

  /// The market goes on by itself.
  func open() {
    loop.execute { [self] in live() }
  }

  private func live() {
    if !isStill { exchange.advance(to: now) }
    publish()
    loop.schedule(after: .milliseconds(250)) { [self] in live() }
  }

  func touch(_ instrument: InstrumentID) -> (bid: PriceLevel, ask: PriceLevel)? {
    exchange.touch(instrument)
  }

  // MARK: Requests

  private static let travelMin = Duration.microseconds(300)
  private static let travelMax = Duration.milliseconds(3)
  private static let straggleMax = Duration.seconds(12)

  /// Carries a request from a session's loop to the exchange and its answer back; nil when it did not
  /// come within the limit.
  func ask<Answer: Sendable>(
    from client: EventLoop, within limit: Duration, changes: Bool,
    _ body: @escaping (StormVenue) -> Answer
  ) async -> Answer? {
    var there = random.duration(Self.travelMin, Self.travelMax)
    if changes, stragglers > 0, random.happens(stragglers) {
      faultsMet += 1
      there = random.duration(.zero, Self.straggleMax)
    }
    let isAnswerLost = answersLost > 0 && random.happens(answersLost)
    let back = random.duration(Self.travelMin, Self.travelMax)
    let deadline = client.uptime + limit
    let wait = OneAnswer<Answer>()
    return await withUnsafeContinuation { continuation in
      wait.continuation = continuation
      scheduler.schedule(on: client, at: deadline) { wait.finish(nil) }
      scheduler.schedule(on: loop, at: client.uptime + there) { [self] in
        if !isStill { exchange.advance(to: now) }
        let answer = body(self)
        publish()
        if isAnswerLost { return faultsMet += 1 }
        scheduler.schedule(on: client, at: loop.uptime + back) { wait.finish(answer) }
      }
    }
  }

  private final class OneAnswer<Answer: Sendable> {
    var continuation: UnsafeContinuation<Answer?, Never>?

    func finish(_ answer: Answer?) {
      let waiting = continuation
      continuation = nil
      waiting?.resume(returning: answer)
    }
  }

  private var ban: VenueOutcome? {
    guard bannedUntil > loop.uptime else { return nil }
    faultsMet += 1
    return .rejected(.venueUnavailable, text: "418 banned")
  }

  var isBanned: Bool { bannedUntil > loop.uptime }

  func place(_ order: VenueOrder) -> VenueOutcome {
    if let ban { return ban }
    let outcome = exchange.place(order)
    placed?(order, outcome)
    if lateRejections > 0, case .acknowledged(let report) = outcome, !report.status.isTerminal,
      report.filledQuantity == .zero, random.happens(lateRejections)
    {
      faultsMet += 1
      let delay = random.duration(.zero, .milliseconds(200))
      loop.schedule(after: delay) { [self] in reject(order.clientOrderID, order.instrument) }
    }
    return outcome
  }

  /// What was taken is rejected after all, as by an exchange that checks behind its door.
  private func reject(_ clientOrderID: String, _ instrument: InstrumentID) {
    guard case .acknowledged(let report) = exchange.query(clientOrderID, instrument),
      !report.status.isTerminal, report.filledQuantity == .zero
    else { return }
    rejected.insert(clientOrderID)
    _ = exchange.cancel(clientOrderID, instrument)
    publish()
  }

  /// The exchange's word on an order.
  private func word(_ report: VenueReport) -> VenueReport {
    guard report.status == .cancelled, rejected.contains(report.clientOrderID) else {
      return report
    }
    var word = report
    word.status = .rejected
    word.rejectReason = .venuePolicy
    word.rejectText = "rejected after it was taken"
    return word
  }

  private func word(_ outcome: VenueOutcome) -> VenueOutcome {
    guard case .acknowledged(let report) = outcome else { return outcome }
    return .acknowledged(word(report))
  }

  /// A cancel that is not carried out leaves the order's fate open: never a refusal of the order.
  func cancel(_ clientOrderID: String, _ instrument: InstrumentID) -> VenueOutcome {
    if ban != nil { return .unknown(reason: "418 banned") }
    if lateFills > 0, random.happens(lateFills),
      let report = exchange.fillQuietly(clientOrderID, instrument)
    {
      faultsMet += 1
      reported?(report)
      let delay = random.duration(.zero, .seconds(3))
      loop.schedule(after: delay) { [self] in session?.deliver(report) }
    }
    return exchange.cancel(clientOrderID, instrument)
  }

  func amend(_ amendment: VenueAmendment) -> VenueOutcome {
    if ban != nil { return .unknown(reason: "418 banned") }
    let outcome = exchange.amend(amendment)
    amended?(amendment, outcome)
    return outcome
  }

  func query(_ clientOrderID: String, _ instrument: InstrumentID) -> VenueOutcome {
    ban != nil ? .unknown(reason: "418 banned") : word(exchange.query(clientOrderID, instrument))
  }

  func openOrders(_ instrument: InstrumentID) -> [VenueReport] { exchange.openOrders(instrument) }
  func fills(_ venueOrderID: String) -> [VenueFill] { exchange.fills(venueOrderID) }
  func halt(_ instrument: InstrumentID, _ isHalted: Bool) { exchange.halt(instrument, isHalted) }
  var standings: [DirectExchange.Standing] { exchange.standings }

  var trades: [(venueOrderID: String, instrument: InstrumentID, side: Side, fill: VenueFill)] {
    exchange.trades.map { ($0.venueOrderID, $0.instrument, $0.side, $0.3) }
  }

  // MARK: The private stream

  func connect(_ session: EngineSession) {
    self.session = session
    reader = session
  }

  /// What is said until somebody connects again is said to nobody.
  func cutStream(for length: Duration) {
    let cut = session
    session = nil
    cut?.lost(for: length)
  }

  fileprivate func cancelQuietly(_ clientOrderID: String, _ instrument: InstrumentID)
    -> VenueOutcome
  {
    exchange.cancel(clientOrderID, instrument)
  }

  fileprivate func publish() {
    for report in exchange.takeReports().map(word) {
      reported?(report)
      session?.deliver(report)
    }
  }

  func heal() {
    (answersLost, stragglers, lateFills, lateRejections) = (0, 0, 0, 0)
    for index in unlisted.sorted() { list(index) }
    bannedUntil = Uptime(nanoseconds: 0)
    for instrument in instruments { exchange.halt(instrument.id, false) }
  }
}

extension StormVenue {
  var listing: StormListing {
    var listing = StormListing()
    for (index, instrument) in instruments.enumerated() where !unlisted.contains(index) {
      listing.list(instrument, digits: digits[index] ?? 0)
    }
    return listing
  }

  /// A session that began under another listing goes on with what it knows.
  var isMisread: Bool { reader?.isOutdated ?? false }

  /// Prices have one digit more from now on.
  func refine(_ index: Int) { digits[index] = min(4, (digits[index] ?? 0) + 1) }

  /// The market closes for good, as far as anybody can tell: its orders are cancelled, and it is off
  /// the list.
  func unlist(_ index: Int) {
    guard unlisted.count + 1 < instruments.count, unlisted.insert(index).inserted else { return }
    let instrument = instruments[index].id
    halt(instrument, true)
    for order in openOrders(instrument) { _ = cancelQuietly(order.clientOrderID, instrument) }
    publish()
  }

  func list(_ index: Int) {
    unlisted.remove(index)
    halt(instruments[index].id, false)
  }

  /// As the orderbook tells it.
  func top(_ instrument: Instrument, _ updateID: UInt64) -> OrderbookV1.Top? {
    guard let touch = touch(instrument.id) else { return nil }
    var top = OrderbookV1.Top()
    top.venue = name
    top.symbol = instrument.symbol
    top.updateId = updateID
    top.bidPrice = instrument.wire(touch.bid.price)
    top.bidQuantity = instrument.wire(touch.bid.quantity)
    top.askPrice = instrument.wire(touch.ask.price)
    top.askQuantity = instrument.wire(touch.ask.quantity)
    return top
  }
}
