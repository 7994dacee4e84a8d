internal import Calls
internal import Loop
internal import Security

/// One address of a channel: at most one connection that takes new calls. Confined to the loop.
///
/// idle -> connecting -> ready -> (lost, or the server goes away) connecting ...; after a failure
/// it waits out its backoff and tries again for as long as the channel is open.
final class Subchannel {
  private enum State {
    case idle
    case connecting(HTTP2ClientConnection)
    case ready(HTTP2ClientConnection)
    /// Between a lost connection and the next try; calls wait for it.
    case pausing(TimerToken)
    case backingOff(TimerToken)
    case closed
  }

  let address: Address
  private unowned let channel: ChannelCore
  private var state = State.idle
  private var failures = 0
  private var connectTimer: TimerToken?
  private var chance = SystemRandomNumberGenerator()

  init(_ address: Address, _ channel: ChannelCore) {
    self.address = address
    self.channel = channel
  }

  var ready: HTTP2ClientConnection? {
    if case .ready(let connection) = state { return connection }
    return nil
  }

  var isConnecting: Bool {
    switch state {
    case .connecting, .pausing: true
    default: false
    }
  }

  /// Begins a connection unless there is one, or the backoff is not over.
  func connect() {
    guard case .idle = state else { return }
    let options = channel.options
    let fresh = HTTP2ClientConnection(channel.loop, options) {
      [weak self, weak channel] connection, event in
      guard channel != nil else { return }
      self?.changed(event, connection)
    }
    state = .connecting(fresh)
    let expectation = options.tls == nil ? nil : options.expectation ?? .service(channel.target)
    do {
      let connection = try Connector.begin(
        address, tls: options.tls, expecting: expectation, loop: channel.loop, driver: fresh)
      fresh.attach(connection)
      connectTimer = channel.loop.schedule(after: options.connectTimeout) {
        connection.abort(.failed("no connection in time"))
      }
    } catch {
      failed(error.description)
    }
  }

  private func changed(_ event: HTTP2ClientConnection.Event, _ connection: HTTP2ClientConnection) {
    switch (state, event) {
    case (.connecting(let current), .opened) where current === connection:
      stopConnectTimer()
      failures = 0
      state = .ready(connection)
      channel.becameReady()
    case (.connecting(let current), .closed(let reason)) where current === connection:
      failed(reason.description)
    case (.ready(let current), .goingAway) where current === connection:
      // Its calls go on; new ones need another connection.
      lost()
    case (.ready(let current), .closed) where current === connection:
      lost()
    default: break
    }
  }

  /// The first try after a loss comes soon, but not at once: a server that is stopping would be
  /// asked again before its port is closed.
  private func lost() {
    let pause = channel.loop.schedule(after: .milliseconds(10)) { [weak self] in self?.tryAgain() }
    state = .pausing(pause)
  }

  private func failed(_ why: String) {
    stopConnectTimer()
    failures += 1
    let delay = channel.options.backoff.delay(
      after: failures, chance: Double.random(in: 0..<1, using: &chance))
    state = .backingOff(
      channel.loop.schedule(after: delay) { [weak self] in self?.tryAgain() })
    channel.couldNotConnect(
      RPCError(.unavailable, "no connection to \(channel.target) at \(address): \(why)"))
  }

  private func tryAgain() {
    switch state {
    case .backingOff, .pausing:
      state = .idle
      connect()
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
    switch state {
    case .connecting(let connection): connection.abort()
    case .ready(let connection): connection.shutDown()
    case .backingOff(let timer), .pausing(let timer): channel.loop.cancel(timer)
    case .idle, .closed: break
    }
    state = .closed
  }
}
