internal import Chrono
internal import JSON
internal import Loop
internal import Security
internal import Telemetry
internal import Transport
internal import Venue

/// OKX's private stream of one account: login, then the channels `orders` and `account`.
///
/// It counts as connected once both channels are acknowledged, so that a reconciliation that
/// follows misses nothing.
///
/// `@unchecked Sendable`: its state is touched on the loop only, where all its tasks run.
final class OKXPrivateStream: AccountStream, @unchecked Sendable {
  private let settings: VenueSettings
  private let rest: OKXREST
  private let reports: OKXReports
  private let tls: TLSContext
  private let loop: EventLoop
  private let time: any TimeSource
  private let log: Log
  private let outlet: EventOutlet<PrivateEvent>

  private var delay: ReconnectDelay
  private var socket: WebSocket?
  private var task: Task<Void, Never>?
  private var watch: Task<Void, Never>?
  private var isStopped = false
  private var attempt = 0
  private var isConnected = false
  private var unacknowledged: Set<String> = []
  /// When a frame was last heard or the hearer last took one, so that a slow hearer is not the
  /// venue's silence; and whether it has one in hand.
  private var lastFrame = Uptime(nanoseconds: 0)
  private var isHandingOut = false

  private static let target = "/ws/v5/private"
  private static let channels = [OKXTopic("orders", "ANY"), OKXTopic("account", "")]
  private static let watchInterval = Duration.seconds(1)

  init(
    _ settings: VenueSettings, rest: OKXREST, instruments: InstrumentDirectory, tls: TLSContext,
    loop: EventLoop, time: any TimeSource, log: Log,
    hearer: @escaping @Sendable (PrivateEvent) async -> Void
  ) {
    self.settings = settings
    self.rest = rest
    reports = OKXReports(instruments)
    self.tls = tls
    self.loop = loop
    self.time = time
    self.log = log
    outlet = EventOutlet(hearer)
    delay = ReconnectDelay(settings, seed: UInt64(bitPattern: time.now.nanoseconds))
  }

  func start() {
    loop.assertInLoop()
    task = loop.spawn { [self] in await run() }
  }

  func stop() async {
    isStopped = true
    socket?.startClosing(.normal)
    watch?.cancel()
    task?.cancel()
    await task?.value
    task = nil
  }

  private func run() async {
    while !isStopped {
      isConnected = false
      let reason = await connection()
      socket = nil
      watch?.cancel()
      if isConnected { await outlet.put([.disconnected(reason: reason)]) }
      guard !isStopped else { return }
      log.warning("the private stream ended", ["reason": .text(reason)])
      await loop.sleep(for: delay.take())
    }
  }

  /// One connection from its making to its end; returns why it ended.
  private func connection() async -> String {
    do throws(WebSocketError) {
      let socket = try await WebSocketClient.connect(
        host: settings.streamHost, port: settings.streamPort, target: Self.target, tls: tls,
        loop: loop, timeout: settings.requestTimeout)
      self.socket = socket
      lastFrame = loop.uptime
      isHandingOut = false
      unacknowledged = Set(Self.channels.map(\.channel))
      watch = loop.spawn { [self] in await watch(socket) }
      if isStopped { socket.startClosing(.normal) }
      send(rest.signer.login(at: rest.venueNow))
      while let message = try await socket.receive() {
        isHandingOut = true
        await receive(message.bytes)
        isHandingOut = false
        lastFrame = loop.uptime
      }
      return "closed by the venue"
    } catch {
      return error.description
    }
  }

  private func send(_ bytes: [UInt8]) {
    if socket?.trySend(.text, bytes) == false { socket?.startClosing(.normal) }
  }

  /// Pings what is idle and ends what is silent: OKX closes a connection after 30 s without a
  /// frame.
  private func watch(_ socket: WebSocket) async {
    let opened = loop.uptime
    var pinged = false
    while !isStopped, !Task.isCancelled {
      await loop.sleep(for: Self.watchInterval)
      if Task.isCancelled { return }
      let idle = isHandingOut ? .zero : loop.uptime - lastFrame
      if idle < OKXFeed.pingAfter { pinged = false }
      let isLate = !isConnected && loop.uptime - opened > OKXSubscription.answerMax
      if idle > settings.silenceMax || isLate {
        log.warning("the private stream is silent", ["for": .text("\(idle)")])
        socket.startClosing(.normal)
        return
      }
      if idle >= OKXFeed.pingAfter, !pinged {
        pinged = true
        send(Array("ping".utf8))
      }
    }
  }

  // MARK: Messages

  private func receive(_ bytes: [UInt8]) async {
    if bytes.elementsEqual("pong".utf8) { return }
    do throws(JSONError) {
      let root = try JSONDocument(parsing: bytes).root
      if let event = root["event"] {
        await answered(event, root)
      } else {
        await outlet.put(try events(root))
      }
    } catch {
      // A report that is lost here is found by the hearer's next reconciliation.
      rest.counters.malformed.increment()
      log.error("a private message cannot be read", ["error": .text(error.description)])
      socket?.startClosing(.normal)
    }
  }

  private func events(_ root: JSONValue) throws(JSONError) -> [PrivateEvent] {
    let channel = try root.member("arg").member("channel")
    let data = try root.array("data")
    if channel.isString("account") { return [.balances(try reports.balances(data))] }
    guard channel.isString("orders") else { return [] }
    var events: [PrivateEvent] = []
    for entry in data {
      if let report = try reports.channelOrder(entry) { events.append(.report(report)) }
    }
    return events
  }

  private func answered(_ event: JSONValue, _ root: JSONValue) async {
    if event.isString("login") {
      send(OKXSubscription.message("subscribe", Self.channels))
    } else if event.isString("subscribe") {
      unacknowledged.remove(root["arg"]?["channel"]?.string ?? "")
      guard unacknowledged.isEmpty, !isConnected else { return }
      isConnected = true
      attempt += 1
      rest.counters.privateConnections.increment()
      if attempt > 1 { rest.counters.privateReconnections.increment() }
      delay.proven()
      await outlet.put([.connected(attempt: attempt)])
    } else if event.isString("error") || event.isString("notice") {
      rest.counters.refusals.increment()
      log.error(
        "the venue refuses",
        [
          "code": .text(root["code"]?.string ?? ""), "reason": .text(root["msg"]?.string ?? ""),
        ])
      // A clock that has moved is the one reason that we can do something about.
      if root["code"]?.isString("60006") == true { await compareClocks() }
      socket?.startClosing(.normal)
    }
  }

  private func compareClocks() async {
    do throws(VenueFailure) {
      try await rest.compareClocks()
    } catch {
      log.warning("the venue did not tell its time", ["error": .text("\(error)")])
    }
  }
}
