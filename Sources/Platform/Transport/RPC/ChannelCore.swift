internal import Calls
internal import Loop

/// The connections of a channel and the calls that wait for one. Confined to its loop.
///
/// `@unchecked Sendable`: every method but `init` asserts that it is on the loop.
final class ChannelCore: @unchecked Sendable {
  let loop: EventLoop
  let target: String
  let options: ChannelOptions
  private let resolver: any NameResolver
  private var subchannels: [Subchannel] = []
  private var turn = 0
  private var waiting: [ObjectIdentifier: ClientCall] = [:]
  private var budget = RetryBudget()
  private var isResolving = false
  private var isClosed = false
  private var resolved = false
  private var refreshTimer: TimerToken?
  private var lastError = RPCError(.unavailable, "no instance is known")

  /// After a resolution that found nothing, or a lost connection.
  private static let resolvePause = Duration.milliseconds(250)

  init(_ target: String, _ resolver: any NameResolver, _ options: ChannelOptions, _ loop: EventLoop)
  {
    self.target = target
    self.resolver = resolver
    self.options = options
    self.loop = loop
  }

  // MARK: Calls

  /// Gives the call to a connection, or keeps it until there is one.
  func assign(_ call: ClientCall) {
    loop.assertInLoop()
    guard !isClosed else {
      call.fail(RPCError(.unavailable, "the channel to \(target) is closed"))
      return
    }
    if !resolved { resolve() }
    for _ in subchannels.indices {
      turn = (turn + 1) % subchannels.count
      if let connection = subchannels[turn].ready {
        let headers = call.requestHeaders(
          scheme: options.tls == nil ? "http" : "https", authority: target)
        if connection.begin(call, headers) { return }
      }
    }
    for subchannel in subchannels { subchannel.connect() }
    guard call.options.waitsForReady || mayBecomeReady else {
      call.fail(lastError)
      return
    }
    guard waiting.count < options.waitingCallsMax else {
      call.fail(RPCError(.resourceExhausted, "too many calls wait for \(target)"))
      return
    }
    waiting[ObjectIdentifier(call)] = call
  }

  private var mayBecomeReady: Bool {
    !resolved || isResolving || subchannels.contains { $0.isConnecting }
  }

  func ended(_ call: ClientCall) { waiting[ObjectIdentifier(call)] = nil }

  func callSucceeded() { budget.succeeded() }

  /// A call that no server has seen may always start over; others only when they are idempotent.
  func mayRetry(_ call: ClientCall, _ error: RPCError, isUnseen: Bool) -> Bool {
    guard !isClosed else { return false }
    if isUnseen { return call.attempts < 10 }
    guard call.method.isIdempotent, error.code == .unavailable else { return false }
    return call.attempts < options.attemptsMax && budget.mayRetry()
  }

  func retry(_ call: ClientCall, isUnseen: Bool) {
    let pause = isUnseen ? Duration.zero : options.retryPause * call.attempts
    loop.schedule(after: pause) { [self] in
      if !call.isEnded { assign(call) }
    }
  }

  // MARK: Resolution

  func resolve() {
    loop.assertInLoop()
    guard !isResolving, !isClosed else { return }
    isResolving = true
    loop.spawn { [self] in
      do throws(RPCError) {
        let found = try await resolver.addresses(of: target)
        loop.onLoop { self.learned(found) }
      } catch {
        loop.onLoop { self.couldNotResolve(error) }
      }
    }
  }

  private func learned(_ addresses: [Address]) {
    isResolving = false
    resolved = true
    guard !isClosed else { return }
    var kept: [Subchannel] = []
    var seen: Set<Address> = []
    // Two instances at one address are the same place: told twice, its connections would double.
    for address in addresses where seen.insert(address).inserted {
      let existing = subchannels.filter { $0.address == address }
      kept += existing
      for _ in existing.count..<max(existing.count, options.connectionsPerAddress) {
        kept.append(Subchannel(address, self))
      }
    }
    let keptIDs = Set(kept.map(ObjectIdentifier.init))
    let dropped = subchannels.filter { !keptIDs.contains(ObjectIdentifier($0)) }
    subchannels = kept
    for subchannel in dropped { subchannel.close() }
    for subchannel in kept { subchannel.connect() }
    if kept.isEmpty {
      couldNotConnect(RPCError(.unavailable, "no instance of \(target) is known"))
    }
    refreshLater()
  }

  private func couldNotResolve(_ error: RPCError) {
    isResolving = false
    resolved = true
    if subchannels.isEmpty {
      couldNotConnect(RPCError(.unavailable, "\(target) cannot be found: \(error.message)"))
    }
    refreshLater()
  }

  private func refreshLater() {
    guard refreshTimer == nil, !isClosed else { return }
    let interval = subchannels.isEmpty ? Self.resolvePause : resolver.refreshInterval
    guard let interval else { return }
    refreshTimer = loop.schedule(after: interval) { [weak self] in
      guard let self else { return }
      self.refreshTimer = nil
      self.resolve()
    }
  }

  // MARK: Connections

  func becameReady() {
    let calls = waiting.values
    waiting = [:]
    for call in calls where !call.isEnded { assign(call) }
  }

  func couldNotConnect(_ error: RPCError) {
    lastError = error
    if resolver.refreshInterval != nil, !isClosed {
      loop.schedule(after: Self.resolvePause) { [weak self] in self?.resolve() }
    }
    guard !mayBecomeReady, !subchannels.contains(where: { $0.ready != nil }) else { return }
    for call in waiting.values where !call.options.waitsForReady { call.fail(error) }
  }

  var readyCount: Int { subchannels.count { $0.ready != nil } }

  func close() {
    loop.assertInLoop()
    guard !isClosed else { return }
    isClosed = true
    if let refreshTimer { loop.cancel(refreshTimer) }
    for subchannel in subchannels { subchannel.close() }
    subchannels = []
    for call in waiting.values {
      call.fail(RPCError(.unavailable, "the channel to \(target) is closed"))
    }
  }
}
