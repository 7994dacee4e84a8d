internal import Calls
internal import Chrono
internal import Loop

/// The connections of a channel and the calls that wait for one. Confined to its loop.
///
/// `@unchecked Sendable`: every method but `init` asserts that it is on the loop.
final class ChannelCore: @unchecked Sendable {
  let loop: EventLoop
  let target: String
  let options: ChannelOptions
  let resolver: any NameResolver
  let observer: (any ChannelObserver)?
  var subchannels: [Subchannel] = []
  var places: [Address: Int] = [:]
  var lastPlace = 0
  var resolution = Resolution()
  private(set) var isClosed = false
  /// What the next connection is made with.
  private(set) var connectionOptions: ChannelOptions
  private var picker: ConnectionPicker<HTTP2ClientConnection>
  private var waiting = WaitingCalls()
  private var outstanding = 0
  private var budget: RetryBudget
  private var circuit: CircuitBreaker
  private var lastCircuit = CircuitState.closed
  var outliers: OutlierDetector<Int>?
  private var sweepTimer: TimerToken?
  /// Connections whose servers take calls.
  private(set) var readyCount = 0
  private var lastCounts: [ConnectionState: Int] = [:]
  private var lastError: String
  private var chance = SystemRandomNumberGenerator()

  /// After a resolution that found nothing, or a lost connection.
  static let resolvePause = Duration.milliseconds(250)

  init(_ target: String, _ resolver: any NameResolver, _ options: ChannelOptions, _ loop: EventLoop)
  {
    self.target = target
    self.resolver = resolver
    self.options = options
    connectionOptions = options
    self.loop = loop
    observer = options.observer
    picker = ConnectionPicker(options.loadBalancing)
    budget = RetryBudget(options.retry)
    circuit = CircuitBreaker(options.circuit)
    outliers = options.outliers.map { OutlierDetector($0) }
    lastError = "no instance of \(target) is known"
  }

  /// A server has gone away for too many pings: the channel's next connections send half as many
  /// (gRFC A8).
  func pingLess() {
    connectionOptions.keepaliveAfter = connectionOptions.keepaliveAfter.map { $0 * 2 }
  }

  // MARK: Calls

  /// Lets a call in: it is counted until it has ended.
  func begin(_ call: ClientCall) {
    loop.assertInLoop()
    if let observer {
      call.startedAt = loop.uptime
      observer.callStarted(call.method)
    }
    guard outstanding < options.callsMax else {
      refuse(call, RPCError(.unavailable, "\(options.callsMax) calls to \(target) are in flight"))
      return
    }
    outstanding += 1
    call.isCounted = true
    if circuit.isClosed || admits(call) { assign(call) }
  }

  /// Gives the call to a connection, or keeps it until there is one.
  func assign(_ call: ClientCall) {
    loop.assertInLoop()
    guard !isClosed else {
      refuse(call, closedError)
      return
    }
    if !resolution.isDone { resolve() }
    while let connection = picker.pick() { if begin(call, on: connection) { return } }
    park(call)
  }

  /// False when the connection takes no more.
  func begin(_ call: ClientCall, on connection: HTTP2ClientConnection) -> Bool {
    let headers = call.requestHeaders(
      scheme: options.tls == nil ? "http" : "https", authority: target)
    return connection.begin(call, headers)
  }

  private func park(_ call: ClientCall) {
    for subchannel in subchannels { subchannel.connect() }
    guard call.options.waitsForReady || !picker.isEmpty || mayBecomeReady else {
      refuse(call, unreachable)
      return
    }
    guard waiting.count < options.waitingCallsMax else {
      refuse(call, RPCError(.resourceExhausted, "too many calls wait for \(target)"))
      return
    }
    waiting.add(call)
  }

  /// Fails a call after the loop has looked at its sockets: a caller that asks again at once, and
  /// again, would keep the loop from ever learning that the service is back.
  private func refuse(_ call: ClientCall, _ error: RPCError) {
    loop.schedule(after: .zero) { call.fail(error) }
  }

  private var mayBecomeReady: Bool {
    !resolution.isDone || subchannels.contains { $0.standing == .connecting }
  }

  private var closedError: RPCError {
    RPCError(.unavailable, "the channel to \(target) is closed")
  }

  private var unreachable: RPCError {
    if subchannels.contains(where: { $0.connected != nil }) {
      return RPCError(.unavailable, "no instance of \(target) says that it serves")
    }
    guard let next = subchannels.compactMap(\.nextAttempt).min() else {
      return RPCError(.unavailable, lastError)
    }
    let left = max(0, (next - loop.uptime).wholeNanoseconds / 1_000_000)
    return RPCError(.unavailable, "\(lastError); tried again in \(left) ms")
  }

  /// Gives waiting calls the room that there is.
  func serveWaiting() {
    while !waiting.isEmpty, let connection = picker.pick(), let call = waiting.takeFirst() {
      if !begin(call, on: connection) { waiting.putBack(call) }
    }
  }

  /// Every call that `start`ed comes here once.
  func ended(_ call: ClientCall, _ error: RPCError?) {
    waiting.remove(call)
    if call.isCounted {
      outstanding -= 1
      if error == nil { budget.succeeded() }
      note(call, error)
    }
    if let observer, let startedAt = call.startedAt {
      observer.callFinished(
        call.method, error?.code ?? .ok, latency: loop.uptime - startedAt)
    }
  }

  // MARK: Circuit

  private func admits(_ call: ClientCall) -> Bool {
    // Who has said that it waits is not told to come back.
    if call.options.waitsForReady { return true }
    let now = loop.uptime
    switch circuit.admit(now) {
    case .pass: return true
    case .probe:
      call.isProbe = true
      circuitMayHaveChanged()
      return true
    case .refuse(let until):
      let left = max(0, (until - now).wholeNanoseconds / 1_000_000)
      refuse(
        call, RPCError(.unavailable, "\(target) does not answer; it is asked again in \(left) ms"))
      return false
    }
  }

  /// What the end of a call says about the service. One that no server has seen, or whose connection
  /// was lost, says nothing: an instance that dies with many calls would keep them from the others.
  private func note(_ call: ClientCall, _ error: RPCError?) {
    let isBad = error?.code == .unavailable || error?.code == .deadlineExceeded
    if isBad, call.attempts > 0, !call.wasCut {
      circuit.failed(loop.uptime)
    } else if isBad || error?.code == .cancelled {
      if call.isProbe { circuit.withdrawn() }
      return
    } else {
      circuit.succeeded()
    }
    circuitMayHaveChanged()
  }

  /// The answer to a call that may last has begun.
  func answered(_ probe: ClientCall) {
    circuit.succeeded()
    circuitMayHaveChanged()
  }

  private func circuitMayHaveChanged() {
    let state = circuit.state
    guard state != lastCircuit else { return }
    lastCircuit = state
    observer?.circuitChanged(state)
  }

  // MARK: Retries

  /// True when the call will be tried again.
  func retries(_ call: ClientCall, _ failure: FailedAttempt) -> Bool {
    guard !isClosed else { return false }
    let couldRetry = budget.allowsRetries
    let verdict = call.ledger.decide(
      failure, mayRepeat: call.method.isIdempotent && !call.isPinned, options.retry, &budget,
      chance: Double.random(in: 0..<1, using: &chance))
    switch verdict {
    case .giveUp:
      if couldRetry, !budget.allowsRetries { observer?.retryThrottled(call.method) }
      return false
    case .again(let pause):
      observer?.callRetried(call.method, isTransparent: false)
      again(call, after: pause)
    case .transparently(let pause):
      guard !call.isPinned else { return false }
      observer?.callRetried(call.method, isTransparent: true)
      again(call, after: pause)
    }
    return true
  }

  /// Never within the event that ended the attempt: other calls of it may end first.
  private func again(_ call: ClientCall, after pause: Duration) {
    loop.schedule(after: pause) { [self] in
      if !call.isEnded { assign(call) }
    }
  }

  // MARK: Outliers

  /// A server's own answer, or none in time. A connection that was lost is not counted: no call is
  /// sent there until there is a new one.
  func attemptEnded(at place: Int, _ error: RPCError?) {
    guard outliers != nil else { return }
    switch error?.code {
    case .unavailable, .deadlineExceeded, .internalError, .unknown:
      if outliers!.failed(place, loop.uptime) {
        tell(ejected: [place], restored: [])
        subchannelChanged()
      }
      sweepLater()
    default: outliers!.succeeded(place)
    }
  }

  private func sweepLater() {
    guard sweepTimer == nil, !isClosed, let due = outliers?.nextSweep else { return }
    sweepTimer = loop.schedule(at: due) { [weak self] in
      guard let self, !self.isClosed else { return }
      self.sweepTimer = nil
      let now = self.loop.uptime
      if let (ejected, restored) = self.outliers?.sweep(now) {
        self.tell(ejected: ejected, restored: restored)
        if !ejected.isEmpty || !restored.isEmpty { self.subchannelChanged() }
      }
      self.sweepLater()
    }
  }

  private func tell(ejected: [Int], restored: [Int]) {
    guard let observer else { return }
    for (address, place) in places {
      if ejected.contains(place) { observer.instanceEjected(address) }
      if restored.contains(place) { observer.instanceRestored(address) }
    }
  }

  // MARK: Connections

  /// A connection came, went, or its server thinks otherwise of itself.
  func subchannelChanged() {
    let before = readyCount
    readyCount = subchannels.count { $0.isServing }
    choose()
    if readyCount > before {
      circuit.instanceArrived(loop.uptime)
      circuitMayHaveChanged()
    }
    serveWaiting()
    failWhoDoesNotWait()
  }

  /// The connections that calls go to: those that serve and are not ejected, if there are any.
  private func choose() {
    let connected = subchannels.filter { $0.connected != nil }
    var chosen = connected.filter(\.isServing)
    if chosen.isEmpty, options.health?.usesAllWhenNoneServes == true {
      chosen = connected.filter { $0.standing == .transientFailure }
    }
    if let outliers {
      let kept = chosen.filter { !outliers.isEjected($0.place) }
      if !kept.isEmpty { chosen = kept }
    }
    picker.use(chosen.compactMap(\.connected))
    tellCounts()
  }

  private func tellCounts() {
    guard let observer else { return }
    let counts = Dictionary(subchannels.map { ($0.standing, 1) }, uniquingKeysWith: +)
    guard counts != lastCounts else { return }
    lastCounts = counts
    observer.connectionsChanged(counts)
  }

  private func failWhoDoesNotWait() {
    guard !waiting.isEmpty, picker.isEmpty, !mayBecomeReady else { return }
    let error = unreachable
    for call in waiting.takeAll() {
      if call.options.waitsForReady { waiting.add(call) } else { call.fail(error) }
    }
  }

  func couldNotConnect(_ why: String) {
    lastError = why
    // Who announces changes needs no asking.
    if resolver.refreshInterval != nil { refreshLater(after: Self.resolvePause) }
    subchannelChanged()
  }

  func close() {
    loop.assertInLoop()
    guard !isClosed else { return }
    isClosed = true
    endResolution()
    if let sweepTimer { loop.cancel(sweepTimer) }
    let last = subchannels
    subchannels = []
    readyCount = 0
    choose()
    for subchannel in last { subchannel.close() }
    for call in waiting.takeAll() { call.fail(closedError) }
  }
}
