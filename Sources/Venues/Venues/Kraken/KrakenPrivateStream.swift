internal import Chrono
internal import JSON
internal import Loop
internal import Security
internal import Telemetry
internal import Transport
internal import Venue

/// Kraken's private stream of one account, kept connected.
///
/// Each connection has a token of its own, which must be used within a quarter of an hour and is
/// good as long as the connection lives (docs.kraken.com/api/docs/guides/spot-ws-auth). What is
/// free of a balance the stream does not say, so it is asked for over REST when something has
/// changed, and not more often than every two seconds.
///
/// `@unchecked Sendable`: its state is touched on the loop only, where all its tasks run.
final class KrakenPrivateStream: AccountStream, @unchecked Sendable {
  private let settings: VenueSettings
  private let rest: KrakenREST
  private let orders: KrakenOrderEntry
  private let tls: TLSContext
  private let loop: EventLoop
  private let time: any TimeSource
  private let log: Log
  private let outlet: EventOutlet<PrivateEvent>

  private var feed: KrakenAccountFeed
  private var delay: ReconnectDelay
  private var socket: WebSocket?
  private var tasks: [Task<Void, Never>] = []
  private var isStopped = false
  private var attempt = 0
  private var lastFrame = Instant.epoch
  private var balances: Task<Void, Never>?
  private var areBalancesDue = false

  private static let balanceInterval = Duration.seconds(2)
  private static let tickInterval = Duration.seconds(1)

  init(
    _ settings: VenueSettings, rest: KrakenREST, orders: KrakenOrderEntry,
    instruments: InstrumentDirectory, tls: TLSContext, loop: EventLoop, time: any TimeSource,
    log: Log, hearer: @escaping @Sendable (PrivateEvent) async -> Void
  ) {
    self.settings = settings
    self.rest = rest
    self.orders = orders
    self.tls = tls
    self.loop = loop
    self.time = time
    self.log = log
    feed = KrakenAccountFeed(instruments)
    outlet = EventOutlet(hearer)
    delay = ReconnectDelay(settings, seed: UInt64(bitPattern: time.now.nanoseconds))
  }

  func start() {
    loop.assertInLoop()
    tasks = [
      loop.spawn { [self] in await run() },
      loop.spawn { [self] in await watch() },
    ]
  }

  func stop() async {
    isStopped = true
    socket?.startClosing(.normal)
    for task in tasks { task.cancel() }
    balances?.cancel()
    for task in tasks { await task.value }
    await balances?.value
    tasks = []
  }

  private func run() async {
    while !isStopped {
      let wasConnected = attempt
      let reason = await connection()
      socket = nil
      if attempt > wasConnected { await outlet.put([.disconnected(reason: reason)]) }
      guard !isStopped else { return }
      log.warning("the private stream ended", ["reason": .text(reason)])
      await loop.sleep(for: delay.take())
    }
  }

  private var host: String {
    if let host = settings.privateStreamHost { return host }
    return settings.streamHost == "ws.kraken.com" ? "ws-auth.kraken.com" : settings.streamHost
  }

  /// One connection from its making to its end; returns why it ended.
  private func connection() async -> String {
    let token: String
    do throws(VenueFailure) {
      guard let text = try await rest.call(.token)["token"]?.string else {
        return "no token in the answer"
      }
      token = text
    } catch {
      return "no token: \(error)"
    }
    do throws(WebSocketError) {
      let socket = try await WebSocketClient.connect(
        host: host, port: settings.streamPort, target: "/v2", tls: tls, loop: loop,
        timeout: settings.requestTimeout)
      self.socket = socket
      lastFrame = time.now
      feed.opened()
      if isStopped { socket.startClosing(.normal) }
      for request in feed.requests(token: token) { try await socket.send(text: request) }
      while let message = try await socket.receive() {
        lastFrame = time.now
        if let fault = await take(feed.read(message.bytes)) {
          socket.startClosing(.normal)
          return fault
        }
      }
      return "closed by the venue"
    } catch {
      return error.description
    }
  }

  /// Returns why the connection cannot go on, if so: what is missed now is found by the hearer's
  /// reconciliation after the next one.
  private func take(_ output: KrakenAccountFeed.Output) async -> String? {
    if output.isSubscribed {
      attempt += 1
      rest.counters.privateConnections.increment()
      if attempt > 1 { rest.counters.privateReconnections.increment() }
      delay.proven()
      await outlet.put([.connected(attempt: attempt)])
    }
    if output.areBalancesDue { askForBalances() }
    if let fault = output.fault {
      rest.counters.malformed.increment()
      log.error("the private stream is broken", ["reason": .text(fault)])
      return fault
    }
    await outlet.put(output.events)
    return nil
  }

  /// Heartbeats come once a second, so silence is the end.
  private func watch() async {
    while !isStopped, !Task.isCancelled {
      await loop.sleep(for: Self.tickInterval)
      guard let socket, time.now - lastFrame > settings.silenceMax else { continue }
      log.warning("the private stream is silent", ["for": .text("\(time.now - lastFrame)")])
      socket.startClosing(.normal)
    }
  }

  /// One question at a time; changes while it is under way make one more.
  private func askForBalances() {
    areBalancesDue = true
    guard balances == nil, !isStopped else { return }
    balances = loop.spawn { [self] in
      while areBalancesDue, !isStopped, !Task.isCancelled { await tellBalances() }
      balances = nil
    }
  }

  private func tellBalances() async {
    areBalancesDue = false
    do throws(VenueError) {
      let balances = try await orders.balances()
      await outlet.put([.balances(balances)])
    } catch {
      areBalancesDue = true
      log.warning("no balances yet", ["error": .text("\(error)")])
    }
    await loop.sleep(for: Self.balanceInterval)
  }
}
