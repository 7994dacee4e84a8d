internal import Chrono
internal import Loop
internal import Security
internal import Telemetry
internal import Transport
internal import Venue

/// A private feed on its socket: asks for a ticket, connects, hands frames to the feed, does what it
/// wishes, and connects again.
///
/// `@unchecked Sendable`: its state is touched on the loop only, where all its tasks run.
final class PrivateStream: @unchecked Sendable {
  private let feed: any PrivateFeed
  private let settings: VenueSettings
  private let door: any PrivateDoor
  private let orders: any VenueOrderEntry
  private let tls: TLSContext
  private let loop: EventLoop
  private let time: any TimeSource
  private let log: Log
  private let counters: VenueCounters
  private let outlet: EventOutlet<PrivateEvent>

  private var delay: ReconnectDelay
  private var socket: WebSocket?
  private var ticket = ""
  private var tasks: [Task<Void, Never>] = []
  private var isStopped = false
  private var attempt = 0
  /// This connection tells everything.
  private var isComplete = false
  /// Why this connection is being ended by us.
  private var endReason: String?
  private var opened = Uptime(nanoseconds: 0)
  /// When a frame was last heard or the hearer last took one, so that a slow hearer is not the
  /// venue's silence; and whether it has one in hand.
  private var lastHeard = Uptime(nanoseconds: 0)
  private var isHandingOut = false
  private var balances: Task<Void, Never>?
  private var areBalancesDue = false
  /// What was told and could not be read, as long as hearers have not been told to ask for it; and when they
  /// were told last.
  private var missed: String?
  private var missTold: Uptime?
  /// The venue refused our time, so the clocks are compared before the next connection.
  private var isClockDue = false

  private static let tickInterval = Duration.seconds(1)
  /// A connection that is not complete after so long never will be.
  private static let completionMax = Duration.seconds(10)
  /// Balances that must be asked for are asked for so often at most.
  private static let balanceInterval = Duration.seconds(2)

  init(
    _ feed: any PrivateFeed, _ settings: VenueSettings, door: any PrivateDoor,
    orders: any VenueOrderEntry, tls: TLSContext, loop: EventLoop, time: any TimeSource, log: Log,
    counters: VenueCounters, hearer: @escaping @Sendable (PrivateEvent) async -> Void
  ) {
    self.feed = feed
    self.settings = settings
    self.door = door
    self.orders = orders
    self.tls = tls
    self.loop = loop
    self.time = time
    self.log = log
    self.counters = counters
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
      let reason = await connection()
      socket = nil
      if isComplete { await outlet.put([.disconnected(reason: reason)]) }
      isComplete = false
      guard !isStopped else { return }
      log.warning("the private stream ended", ["reason": .text(reason)])
      await loop.sleep(for: delay.take())
      if isClockDue { await compareClocks() }
    }
  }

  /// One connection from its making to its end; returns why it ended.
  private func connection() async -> String {
    endReason = nil
    do throws(VenueFailure) {
      ticket = try await door.openTicket()
    } catch {
      return "no ticket: \(error)"
    }
    let (host, target) = feed.address(ticket: ticket)
    do throws(WebSocketError) {
      let socket = try await WebSocketClient.connect(
        host: host ?? settings.streamHost, port: settings.streamPort, target: target, tls: tls,
        loop: loop, timeout: settings.requestTimeout)
      self.socket = socket
      opened = loop.uptime
      lastHeard = loop.uptime
      if isStopped { socket.startClosing(.normal) }
      var output = PrivateOutput()
      feed.opened(ticket: ticket, at: time.now, loop.uptime, &output)
      await carryOut(output)
      while let message = try await socket.receive() {
        isHandingOut = true
        var output = PrivateOutput()
        feed.receive(message.bytes, at: loop.uptime, &output)
        await carryOut(output)
        isHandingOut = false
        lastHeard = loop.uptime
      }
      return endReason ?? "closed by the venue"
    } catch {
      return endReason ?? error.description
    }
  }

  private func end(_ reason: String) {
    if endReason == nil { endReason = reason }
    socket?.startClosing(.normal)
  }

  // MARK: What the feed says

  /// Faults first, so that a count is never behind the event that it explains.
  private func carryOut(_ output: PrivateOutput) async {
    if let fault = output.fault {
      report(fault)
      end(fault.text)
    }
    for wish in output.wishes { carryOut(wish) }
    if output.isComplete, !isComplete {
      isComplete = true
      // Whoever hears of a connection asks for everything.
      missed = nil
      attempt += 1
      counters.privateConnections.increment()
      if attempt > 1 { counters.privateReconnections.increment() }
      delay.proven()
      await outlet.put([.connected(attempt: attempt)])
    }
    await outlet.put(output.events)
    if let reason = output.unread.first {
      missed = missed ?? reason
      await tellMissed()
    }
  }

  /// At once, or when the last time is long enough ago: whoever is told asks for every open order.
  private func tellMissed() async {
    guard let reason = missed, isComplete else { return }
    if let missTold, loop.uptime - missTold < settings.missedInterval { return }
    (missed, missTold) = (nil, loop.uptime)
    await outlet.put([.missed(reason: reason)])
  }

  private func carryOut(_ wish: PrivateWish) {
    switch wish {
    case .send(let bytes):
      if socket?.trySend(.text, bytes) == false { end("the venue does not read what it is sent") }
    case .extendTicket: loop.spawn { [self, ticket] in await extend(ticket) }
    case .askBalances: askForBalances()
    case .compareClocks: isClockDue = true
    }
  }

  private func report(_ fault: PrivateFault) {
    switch fault {
    case .malformed: counters.malformed.increment()
    case .gap: counters.privateGaps.increment()
    case .refused: counters.refusals.increment()
    }
    log.error("the private stream is broken", ["reason": .text(fault.text)])
  }

  /// A ticket that cannot be extended ends in silence; a new connection makes a new one.
  private func extend(_ ticket: String) async {
    do throws(VenueFailure) {
      try await door.extendTicket(ticket)
    } catch {
      log.warning("the stream's ticket was not extended", ["error": .text("\(error)")])
      if ticket == self.ticket { end("the ticket was not extended") }
    }
  }

  private func compareClocks() async {
    isClockDue = false
    do throws(VenueFailure) {
      try await door.compareClocks()
    } catch {
      log.warning("the venue did not tell its time", ["error": .text("\(error)")])
    }
  }

  // MARK: Life

  private func watch() async {
    while !isStopped, !Task.isCancelled {
      await loop.sleep(for: Self.tickInterval)
      guard !isStopped, !Task.isCancelled, socket != nil else { continue }
      if !isComplete, loop.uptime - opened > Self.completionMax {
        end("not complete after \(Self.completionMax)")
        continue
      }
      let silence = isHandingOut ? .zero : loop.uptime - lastHeard
      if feed.isNeverSilent, silence > settings.silenceMax {
        end("no frame for \(settings.silenceMax)")
        continue
      }
      var output = PrivateOutput()
      feed.tick(at: loop.uptime, &output)
      await carryOut(output)
      await tellMissed()
    }
  }

  // MARK: Balances

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
