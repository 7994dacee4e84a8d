internal import Chrono
internal import JSON
internal import Loop
internal import Telemetry
internal import Transport

/// Everything around the pure venue: the clock that drives it, the file that remembers, the
/// sockets.
///
/// `@unchecked Sendable`: its state is touched on the loop only; `respond`, WebSocket handlers and
/// timers all run there.
final class VenueShell: @unchecked Sendable {
  private(set) var venue: SimulatedVenue
  private let desk: any StreamDesk
  private let log: Log
  private let file: ExchangeLog?
  private let time: any TimeSource
  let loop: EventLoop
  private let players: [CapturePlayer]
  private var timer: TimerToken?
  private var isStopped = false

  /// The market moves at most so often: a timer for each of 125 events a second would only cost.
  private static let tick = Duration.milliseconds(5)
  /// How long a lost answer is withheld; every client has given up by then.
  private static let withheldMax = Duration.seconds(60)

  init(
    _ settings: ExchangeSettings, _ configuration: VenueSimulatorConfiguration,
    time: any TimeSource, loop: EventLoop, log: Log
  ) throws(ExchangeLogError) {
    self.time = time
    self.loop = loop
    self.log = log
    var settings = settings
    var playbacks: [String: MarketPlayback] = [:]
    var players: [CapturePlayer] = []
    for replay in configuration.replays where replay.dialect == settings.dialect {
      let capture = try MarketCapture.of(replay, markets: settings.markets)
      let index = settings.adopt(capture)
      playbacks[replay.symbol] = MarketPlayback(capture, settings.dialect)
      players.append(CapturePlayer(capture, market: index, replay, loop: loop))
    }
    self.players = players
    var exchange = SimulatedExchange(settings: settings, start: time.now, playbacks: playbacks)
    if let directory = configuration.stateDirectory {
      let file = ExchangeLog(
        directory: directory, settings.dialect, names: exchange.recordNames)
      exchange.restore(try file.load())
      _ = exchange.takeRecords()
      try file.begin(with: exchange.stateRecords)
      self.file = file
    } else {
      self.file = nil
    }
    switch settings.dialect {
    case .binance:
      desk = StreamHub(
        symbols: settings.markets.map(\.symbol), behindMax: configuration.behindMax)
    case .kraken: desk = KrakenDesk(exchange, behindMax: configuration.behindMax)
    case .okx: desk = OKXDesk(exchange, behindMax: configuration.behindMax)
    }
    venue = SimulatedVenue(exchange: exchange)
  }

  func start() async {
    await onLoop { [self] in
      for player in players { player.start(self) }
      tick()
    }
  }

  func stop() async {
    await onLoop { [self] in
      isStopped = true
      if let timer { loop.cancel(timer) }
      for player in players { player.stop() }
      desk.close()
    }
  }

  func requestCounts() async -> [String: Int] {
    await onLoop { [self] in venue.requestCounts }
  }

  func clientCount() async -> Int {
    await onLoop { [self] in desk.clientCount }
  }

  func isReplayFinished() async -> Bool {
    await onLoop { [self] in players.allSatisfy(\.isFinished) }
  }

  private func onLoop<R: Sendable>(_ body: @escaping @Sendable () -> R) async -> R {
    await withCheckedContinuation { continuation in
      loop.onLoop { continuation.resume(returning: body()) }
    }
  }

  // MARK: The clock

  private func tick() {
    guard !isStopped else { return }
    venue.exchange.advance(to: time.now)
    publish()
    let wait = venue.exchange.nextEventTime - time.now
    timer = loop.schedule(after: max(wait, Self.tick)) { [weak self] in self?.tick() }
  }

  /// Records first, then messages: nobody hears of what a crash would forget.
  private func publish() {
    save()
    let deliveries = venue.takeDeliveries(now: time.now)
    if !deliveries.isEmpty { desk.hear(deliveries, self) }
  }

  private func save() {
    let records = venue.exchange.takeRecords()
    guard let file else { return }
    do throws(ExchangeLogError) {
      try file.append(records)
    } catch {
      // Going on would acknowledge orders that a restart forgets.
      log.critical("the state file cannot be written", ["error": .text(error.description)])
      preconditionFailure(error.description)
    }
  }

  // MARK: REST

  func answer(_ request: HTTPRequest) async -> HTTPResponse {
    loop.assertInLoop()
    let answer = venue.answer(request, now: time.now)
    publish()
    if let symbol = answer.snapshotOf {
      // After the tick, when the answer is on its way before the tape goes on.
      loop.atTickEnd { [self] in players.forEach { $0.snapshotTaken(of: symbol) } }
    }
    if answer.isWithheld { await loop.sleep(for: Self.withheldMax) }
    return answer.response
  }

  // MARK: Streams

  /// Refused while the exchange is closed for maintenance.
  var acceptsStreams: Bool { !venue.faults.isClosed(time.now) }

  func serve(_ socket: WebSocket, _ request: HTTPRequest) async {
    loop.assertInLoop()
    await desk.serve(socket, request, self)
  }

  func streamEnded(_ error: WebSocketError) {
    log.debug("a stream ended", ["error": .text(error.description)])
  }

  func account(ofListenKey key: String) -> Int? {
    venue.exchange.listenKeys.account(of: key, now: time.now)
  }

  /// What a socket asks of the exchange, at the present moment; everyone is told what came of it after
  /// the answer is on its way.
  func command<R>(_ body: (inout SimulatedVenue, Instant) -> R) -> R {
    loop.assertInLoop()
    venue.exchange.advance(to: time.now)
    let result = body(&venue, time.now)
    save()
    loop.atTickEnd { [weak self] in self?.publish() }
    return result
  }

  // MARK: Administration

  func inject(_ fault: VenueFault) async throws(FaultError) {
    let result = await onLoop { [self] () -> Result<Void, FaultError> in
      do throws(FaultError) {
        let scopes = try venue.inject(fault, now: time.now)
        publish()
        for scope in scopes { desk.disconnect(scope) }
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    try result.get()
  }

  func inspect<R: Sendable>(_ body: @escaping @Sendable (borrowing SimulatedExchange) -> R) async
    -> R
  {
    await onLoop { [self] in
      venue.exchange.advance(to: time.now)
      let result = body(venue.exchange)
      publish()
      return result
    }
  }

  func startReplays() async {
    await onLoop { [self] in players.forEach { $0.release() } }
  }

  // MARK: Playback

  func hasListeners(market: Int) -> Bool { desk.hasListeners(market: market) }
  func nextSubscription() async { await desk.subscriptions.wait() }

  /// Plays one recorded message to the book and to everyone; waits for slow readers when told so.
  func play(_ message: CaptureMessage, market: Int, waiting: Bool) async throws(JSONError) {
    venue.exchange.advance(to: time.now)
    if let problem = try venue.exchange.play(message, market: market) {
      log.warning("the recording has a hole", ["problem": .text(problem)])
    }
    guard waiting else { return publish() }
    save()
    await desk.deliver(venue.takeDeliveries(now: time.now), self)
  }

  func playbackFailed(_ problem: String) {
    log.error("the capture cannot be played further", ["error": .text(problem)])
  }
}
