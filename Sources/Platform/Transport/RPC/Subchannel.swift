internal import Calls
internal import Chrono
internal import Loop
internal import Security

/// One address of a channel: at most one connection that takes new calls. Confined to the loop.
///
/// idle -> resolving -> connecting -> ready -> (lost, or the server goes away) resolving ...; after a
/// failure it waits out its backoff and tries again for as long as the channel is open.
final class Subchannel {
  private enum State {
    case idle
    case resolving
    case connecting(HTTP2ClientConnection)
    case ready(HTTP2ClientConnection)
    /// Between a lost connection and the next try; calls wait for it.
    case pausing(TimerToken)
    case backingOff(TimerToken)
    case closed
  }

  let address: Address
  /// Names the address to the outlier detector; the connections to one share it.
  let place: Int
  private unowned let channel: ChannelCore
  private var state = State.idle
  private var attempts: ConnectionAttempts
  /// Of the host's addresses, those that this attempt has not tried.
  private var candidates: ArraySlice<SocketAddress> = []
  private var deadline = Uptime(nanoseconds: 0)
  /// Counts attempts, so that an answer about an earlier one is known as such.
  private var attempt = 0
  private var connectTimer: TimerToken?
  private var watch: HealthWatch?
  private var chance = SystemRandomNumberGenerator()

  init(_ address: Address, place: Int, _ channel: ChannelCore) {
    self.address = address
    self.place = place
    self.channel = channel
    attempts = ConnectionAttempts(channel.options.backoff)
  }

  /// The connection that may take calls, however its server is.
  var connected: HTTP2ClientConnection? {
    if case .ready(let connection) = state { return connection }
    return nil
  }

  /// Connected, and the server says that it serves, or is not asked.
  var isServing: Bool {
    if case .ready = state { return watch?.status ?? .serving == .serving }
    return false
  }

  var standing: ConnectionState {
    switch state {
    case .idle: return .idle
    case .resolving, .connecting, .pausing:
      return attempts.failures == 0 ? .connecting : .transientFailure
    case .ready:
      switch watch?.status ?? .serving {
      case .unknown: return .connecting
      case .serving: return .ready
      case .notServing: return .transientFailure
      }
    case .backingOff, .closed: return .transientFailure
    }
  }

  /// When a backoff ends; nil when there is none.
  var nextAttempt: Uptime? {
    if case .backingOff = state { return attempts.notBefore }
    return nil
  }

  // MARK: Connecting

  /// Begins a connection unless there is one, or the backoff is not over.
  func connect() {
    guard case .idle = state else { return }
    state = .resolving
    attempt += 1
    let now = channel.loop.uptime
    attempts.began(now, chance: Double.random(in: 0..<1, using: &chance))
    deadline = max(attempts.notBefore, now + channel.options.connectTimeout)
    let mine = attempt
    connectTimer = channel.loop.schedule(at: deadline) { [weak self] in
      self?.connectTimer = nil
      self?.ranOut(mine)
    }
    let loop = channel.loop
    // The loop keeps nothing that is confined to it alive for longer than the lookup.
    let answered = LoopBound(self)
    channel.options.hosts.addresses(of: address) { answer in
      loop.onLoop { answered.value?.resolved(answer, mine) }
    }
  }

  private func ranOut(_ mine: Int) {
    guard attempt == mine else { return }
    switch state {
    case .resolving: failed("its name was not resolved in time")
    case .connecting(let connection):
      candidates = []
      connection.abort(.failed("no connection in time"))
    default: break
    }
  }

  private func resolved(_ answer: HostResolver.Answer, _ mine: Int) {
    guard attempt == mine, case .resolving = state else { return }
    switch answer {
    case .success(let found):
      candidates = found[...]
      tryNext(after: "its name has no address")
    case .failure(let error): failed(error.description)
    }
  }

  /// The next address of the name; `why` the one before did not do.
  private func tryNext(after why: String) {
    var why = why
    while let remote = candidates.popFirst() {
      let fresh = HTTP2ClientConnection(channel.loop, channel.connectionOptions) {
        [weak self, weak channel] connection, event in
        guard channel != nil else { return }
        self?.changed(event, connection)
      }
      fresh.place = place
      state = .connecting(fresh)
      do {
        let connection = try Connector.begin(
          remote, of: address, tls: channel.options.tls, expecting: expectation,
          loop: channel.loop, driver: fresh)
        fresh.attach(connection)
        limit(connection, sharing: candidates.count + 1)
        return
      } catch {
        why = error.description
      }
    }
    failed(why)
  }

  private var expectation: PeerExpectation? {
    channel.options.tls == nil ? nil : channel.options.expectation ?? .service(channel.target)
  }

  /// The addresses that are left share the time that is left; the last one has the timer of all.
  private func limit(_ connection: Connection, sharing count: Int) {
    guard count > 1 else { return }
    let share = (deadline - channel.loop.uptime) / count
    channel.loop.schedule(after: share) { [weak self, weak connection] in
      guard let connection, case .connecting(let current)? = self?.state,
        current.isOn(connection)
      else { return }
      connection.abort(.failed("no connection in time"))
    }
  }

  // MARK: Events

  private func changed(_ event: HTTP2ClientConnection.Event, _ connection: HTTP2ClientConnection) {
    switch (state, event) {
    case (.connecting(let current), .opened) where current === connection:
      stopConnectTimer()
      attempts.reset()
      state = .ready(connection)
      watchHealth(connection)
      channel.subchannelChanged()
    case (.connecting(let current), .closed(let reason)) where current === connection:
      tryNext(after: reason.description)
    case (.ready(let current), .goingAway) where current === connection:
      // Its calls go on; new ones need another connection.
      if connection.wasPingedTooOften { channel.pingLess() }
      lost()
    case (.ready(let current), .closed) where current === connection:
      lost()
    case (.ready(let current), .room) where current === connection:
      channel.serveWaiting()
    default: break
    }
  }

  private func watchHealth(_ connection: HTTP2ClientConnection) {
    guard let health = channel.options.health else { return }
    let fresh = HealthWatch(connection, channel, service: health.service) { [weak self] in
      guard let self, case .ready = self.state else { return }
      self.channel.subchannelChanged()
    }
    watch = fresh
    fresh.begin()
  }

  private func endWatch() {
    watch?.end()
    watch = nil
  }

  /// The first try after a loss comes soon, but not at once: a server that is stopping would be
  /// asked again before its port is closed.
  private func lost() {
    endWatch()
    let pause = channel.loop.schedule(after: .milliseconds(10)) { [weak self] in self?.tryAgain() }
    state = .pausing(pause)
    channel.subchannelChanged()
  }

  private func failed(_ why: String) {
    stopConnectTimer()
    attempts.failed()
    state = .backingOff(
      channel.loop.schedule(at: attempts.notBefore) { [weak self] in self?.tryAgain() })
    channel.couldNotConnect("no connection to \(channel.target) at \(address): \(why)")
  }

  private func tryAgain() {
    switch state {
    case .backingOff, .pausing:
      state = .idle
      connect()
    default: break
    }
  }

  /// Somebody who should know has heard of an instance here: what is left of a backoff is not waited
  /// for, and calls wait for the connection.
  func hurry() {
    switch state {
    case .idle: connect()
    case .backingOff(let timer):
      channel.loop.cancel(timer)
      attempts.reset()
      tryAgain()
    default: break
    }
  }

  private func stopConnectTimer() {
    if let connectTimer { channel.loop.cancel(connectTimer) }
    connectTimer = nil
  }

  /// Calls that run are finished on the connection; nothing new begins.
  func close() {
    stopConnectTimer()
    endWatch()
    let before = state
    state = .closed
    switch before {
    case .connecting(let connection): connection.abort()
    case .ready(let connection): connection.shutDown()
    case .backingOff(let timer), .pausing(let timer): channel.loop.cancel(timer)
    case .idle, .resolving, .closed: break
    }
  }
}

/// Carries a reference to what is confined to a loop through another thread and back to it.
///
/// `@unchecked Sendable`: `value` is read on the loop only.
final class LoopBound<Object: AnyObject>: @unchecked Sendable {
  private(set) weak var value: Object?
  init(_ value: Object) { self.value = value }
}
