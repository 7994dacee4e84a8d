internal import Chrono
internal import JSON
internal import Loop
internal import Security
internal import Telemetry
internal import Transport

/// Binance's private stream of one account, kept connected by listen keys.
///
/// `@unchecked Sendable`: its state is touched on the loop only, where all its tasks run.
final class BinancePrivateStream: AccountStream, @unchecked Sendable {
  private let settings: VenueSettings
  private let rest: BinanceREST
  private let reports: BinanceReports
  private let tls: TLSContext
  private let loop: EventLoop
  private let log: Log
  private let outlet: EventOutlet<PrivateEvent>

  private var delay: ReconnectDelay
  private var socket: WebSocket?
  private var task: Task<Void, Never>?
  private var keepAlive: Task<Void, Never>?
  private var isStopped = false
  private var attempt = 0

  /// A listen key lives for sixty minutes; Binance recommends to extend it every thirty.
  private static let keepAliveInterval = Duration.seconds(30 * 60)

  init(
    _ settings: VenueSettings, rest: BinanceREST, instruments: InstrumentDirectory,
    tls: TLSContext, loop: EventLoop, time: any TimeSource, log: Log,
    hearer: @escaping @Sendable (PrivateEvent) async -> Void
  ) {
    self.settings = settings
    self.rest = rest
    self.reports = BinanceReports(instruments)
    self.tls = tls
    self.loop = loop
    self.log = log
    self.outlet = EventOutlet(hearer)
    self.delay = ReconnectDelay(settings, seed: UInt64(bitPattern: time.now.nanoseconds))
  }

  func start() {
    loop.assertInLoop()
    task = loop.spawn { [self] in await run() }
  }

  func stop() async {
    isStopped = true
    socket?.startClosing(.normal)
    keepAlive?.cancel()
    task?.cancel()
    await task?.value
    task = nil
  }

  private func run() async {
    while !isStopped {
      let wasConnected = attempt
      let reason = await connection()
      socket = nil
      keepAlive?.cancel()
      if attempt > wasConnected { await outlet.put([.disconnected(reason: reason)]) }
      guard !isStopped else { return }
      log.warning("the private stream ended", ["reason": .text(reason)])
      await loop.sleep(for: delay.take())
    }
  }

  /// One connection from its making to its end; returns why it ended.
  private func connection() async -> String {
    let key: String
    do throws(VenueFailure) {
      key = try await openKey()
    } catch {
      return "no listen key: \(error)"
    }
    do throws(WebSocketError) {
      let socket = try await WebSocketClient.connect(
        host: settings.streamHost, port: settings.streamPort, target: "/ws/\(key)", tls: tls,
        loop: loop, timeout: settings.requestTimeout)
      self.socket = socket
      attempt += 1
      rest.counters.privateConnections.increment()
      if attempt > 1 { rest.counters.privateReconnections.increment() }
      delay.proven()
      keepAlive = loop.spawn { [self] in await keepAlive(key) }
      if isStopped { socket.startClosing(.normal) }
      await outlet.put([.connected(attempt: attempt)])
      while let message = try await socket.receive() { await receive(message.bytes) }
      return "closed by the venue"
    } catch {
      return error.description
    }
  }

  private func openKey() async throws(VenueFailure) -> String {
    let body = try await rest.body("POST", "/api/v3/userDataStream", [], .key)
    do throws(JSONError) {
      return try JSONDocument(parsing: body).root.string("listenKey")
    } catch {
      throw .unknown(error.description)
    }
  }

  private func keepAlive(_ key: String) async {
    while !isStopped, !Task.isCancelled {
      await loop.sleep(for: Self.keepAliveInterval)
      if Task.isCancelled { return }
      do throws(VenueFailure) {
        _ = try await rest.body("PUT", "/api/v3/userDataStream", [("listenKey", key)], .key)
      } catch {
        // A key that cannot be extended ends in silence; a new connection makes a new one.
        log.warning("the listen key was not extended", ["error": .text("\(error)")])
        socket?.startClosing(.normal)
        return
      }
    }
  }

  private func receive(_ bytes: [UInt8]) async {
    do throws(JSONError) {
      if let event = try reports.event(bytes) { await outlet.put([event]) }
    } catch {
      // A report that is lost here is found by the hearer's next reconciliation.
      rest.counters.malformed.increment()
      log.error("a private message cannot be read", ["error": .text(error.description)])
      socket?.startClosing(.normal)
    }
  }
}
