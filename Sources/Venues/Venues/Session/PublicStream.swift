internal import Chrono
internal import Loop
internal import Recording
internal import Security
internal import Telemetry
internal import Transport
internal import Venue

/// Public REST of a venue, within its limits.
protocol PublicREST: Sendable {
  /// The body of a successful answer.
  func get(_ target: String, weight: Int) async throws(VenueError) -> [UInt8]
  /// What the stream told of the venue's clock.
  func heard(_ reading: ClockReading)
}

extension PublicREST {
  /// Where the answers to a question for the time are as good.
  func heard(_ reading: ClockReading) {}
}

/// A feed on its socket: connects, hands frames to it, does what it wishes, and connects again.
///
/// Events are handed on in their order and awaited, so a slow hearer holds the venue's stream back.
/// Answers count only for the connection that asked.
///
/// `@unchecked Sendable`: its state is touched on the loop only, where all its tasks run.
final class PublicStream: @unchecked Sendable {
  private let feed: any PublicFeed
  private let settings: VenueSettings
  private let host: String
  private let prepare: (@Sendable () async throws(VenueError) -> Void)?
  private let rest: any PublicREST
  private let tls: TLSContext
  private let loop: EventLoop
  private let time: any TimeSource
  private let log: Log
  private let counters: VenueCounters
  private let outlet: EventOutlet<MarketEvent>

  private var delay: ReconnectDelay
  private var socket: WebSocket?
  private var task: Task<Void, Never>?
  private var ticking: Task<Void, Never>?
  private var isStopped = false
  /// Counts connections.
  private var epoch = 0
  /// When a frame was last heard or the hearer last took one, so that a slow hearer is not the
  /// venue's silence; and whether it has one in hand.
  private var lastHeard = Uptime(nanoseconds: 0)
  private var isHandingOut = false
  /// Why this connection is being ended by us.
  private var endReason: String?
  /// The recorder's number of this connection.
  private var connectionNumber = 0
  private var output = FeedOutput()

  private static let tickInterval = Duration.seconds(1)

  /// `host`: where it is not the venue's own; `prepare`: what must have been done before each
  /// connection.
  init(
    _ feed: any PublicFeed, _ settings: VenueSettings, host: String? = nil,
    rest: any PublicREST, tls: TLSContext, loop: EventLoop, time: any TimeSource, log: Log,
    counters: VenueCounters, prepare: (@Sendable () async throws(VenueError) -> Void)? = nil,
    hearer: @escaping @Sendable (MarketEvent) async -> Void
  ) {
    self.feed = feed
    self.settings = settings
    self.host = host ?? settings.streamHost
    self.prepare = prepare
    self.rest = rest
    self.tls = tls
    self.loop = loop
    self.time = time
    self.log = log
    self.counters = counters
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
    ticking?.cancel()
    task?.cancel()
    await task?.value
    task = nil
  }

  private func run() async {
    while !isStopped {
      let reason = await connection()
      if socket != nil {
        record(.closed, Array(reason.utf8))
        counters.open.decrement()
      }
      socket = nil
      ticking?.cancel()
      var output = FeedOutput()
      feed.closed(reason: reason, at: time.now, &output)
      await outlet.put(output.events)
      guard !isStopped else { return }
      log.warning("the public stream ended", ["reason": .text(reason)])
      await loop.sleep(for: delay.take())
    }
  }

  /// One connection from its making to its end; returns why it ended.
  private func connection() async -> String {
    do throws(VenueError) {
      try await prepare?()
    } catch {
      return "not prepared: \(error)"
    }
    do throws(WebSocketError) {
      var limits = WebSocketLimits.standard
      // A delta after a long silence of the venue's engine holds thousands of levels.
      limits.messageMax = 8 << 20
      let socket = try await WebSocketClient.connect(
        host: host, port: settings.streamPort, target: feed.target, tls: tls,
        loop: loop, limits: limits, timeout: settings.requestTimeout)
      self.socket = socket
      counters.open.increment()
      epoch += 1
      counters.connections.increment()
      if epoch > 1 { counters.reconnections.increment() }
      if isStopped { socket.startClosing(.normal) }
      lastHeard = loop.uptime
      endReason = nil
      connectionNumber = settings.recorder?.nextConnection() ?? 0
      record(
        .opened,
        Array("wss://\(host):\(settings.streamPort)\(feed.target)".utf8))
      var opening = FeedOutput()
      feed.opened(at: time.now, &opening)
      await carryOut(opening)
      ticking = loop.spawn { [self, epoch] in await tick(epoch: epoch) }
      while let message = try await socket.receive() {
        delay.proven()
        await receive(message.bytes)
      }
      return endReason ?? "closed by the venue"
    } catch {
      return endReason ?? error.description
    }
  }

  /// Asks for a book anew. On the loop.
  func resynchronise(_ instrument: InstrumentID, reason: String) async {
    guard socket != nil, !isStopped, feed.instruments.contains(where: { $0.id == instrument })
    else { return }
    var output = FeedOutput()
    feed.resynchronise(instrument, reason: reason, at: time.now, &output)
    await carryOut(output)
  }

  private func end(_ reason: String) {
    endReason = reason
    socket?.startClosing(.normal)
  }

  private func receive(_ frame: [UInt8]) async {
    counters.messages.increment()
    let now = time.now
    if let recorder = settings.recorder {
      recorder.record(.received, frame, connection: connectionNumber, at: now)
    }
    output.removeAll()
    isHandingOut = true
    feed.receive(frame, at: now, &output)
    if output.wishes.isEmpty, output.faults.isEmpty, output.clocks.isEmpty {
      await outlet.put(output.events)
    } else {
      await carryOut(output)
    }
    output.removeAll()
    isHandingOut = false
    lastHeard = loop.uptime
  }

  /// Faults first, so that a count is never behind the event that it explains.
  private func carryOut(_ output: FeedOutput) async {
    for fault in output.faults { report(fault) }
    for reading in output.clocks { rest.heard(reading) }
    for wish in output.wishes { carryOut(wish) }
    await outlet.put(output.events)
  }

  private func carryOut(_ wish: FeedWish) {
    switch wish {
    case .send(let bytes):
      record(.sent, bytes)
      if socket?.trySend(.text, bytes) == false { end("the venue does not read what it is sent") }
    case .reconnect(let reason): end(reason)
    case .get(let target, let weight, let question, let wait):
      loop.spawn { [self, epoch] in
        await ask(target, weight, question, after: wait, epoch: epoch)
      }
    }
  }

  private func ask(
    _ target: String, _ weight: Int, _ question: FeedQuestion, after wait: Duration, epoch: Int
  ) async {
    if wait > .zero { await loop.sleep(for: wait) }
    var retry = ReconnectDelay(settings, seed: UInt64(bitPattern: time.now.nanoseconds))
    while !isStopped, epoch == self.epoch, socket != nil {
      do throws(VenueError) {
        if question.kind == .snapshot { counters.snapshots.increment() }
        let body = try await rest.get(target, weight: weight)
        guard epoch == self.epoch, socket != nil else { return }
        record(.answered(target: target), body)
        var output = FeedOutput()
        feed.answered(question, body, at: time.now, &output)
        await carryOut(output)
        return
      } catch {
        log.warning("no answer yet", ["target": .text(target), "error": .text("\(error)")])
        await loop.sleep(for: retry.take())
      }
    }
  }

  private func tick(epoch: Int) async {
    while !isStopped, !Task.isCancelled, epoch == self.epoch, socket != nil {
      await loop.sleep(for: Self.tickInterval)
      guard !Task.isCancelled, epoch == self.epoch else { return }
      if !isHandingOut, loop.uptime - lastHeard > settings.silenceMax {
        return end("no frame for \(settings.silenceMax)")
      }
      var output = FeedOutput()
      feed.tick(at: time.now, &output)
      await carryOut(output)
    }
  }

  private func record(_ kind: RecordedFrame.Kind, _ bytes: [UInt8]) {
    settings.recorder?.record(kind, bytes, connection: connectionNumber, at: time.now)
  }

  private func report(_ fault: FeedFault) {
    func symbol(_ id: InstrumentID) -> String {
      feed.instruments.first { $0.id == id }?.symbol ?? "?"
    }
    switch fault {
    case .malformed(let text):
      counters.malformed.increment()
      log.error("a message cannot be read", ["error": .text(text)])
    case .gap(let id, let text):
      counters.gaps.increment()
      log.warning(
        "a book lost its place", ["symbol": .text(symbol(id)), "reason": .text(text)])
    case .checksum(let id, let text):
      counters.checksums.increment()
      log.error(
        "a book is not the venue's", ["symbol": .text(symbol(id)), "reason": .text(text)])
    case .missedTrades(let id, let text):
      counters.missedTrades.increment()
      log.warning("trades were missed", ["symbol": .text(symbol(id)), "ids": .text(text)])
    case .refused(let text):
      counters.refusals.increment()
      log.error("the venue refuses", ["reason": .text(text)])
    }
  }
}
