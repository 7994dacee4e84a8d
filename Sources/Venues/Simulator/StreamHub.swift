internal import Transport

/// All WebSockets of the simulator. Confined to its loop.
final class StreamHub {
  private var sessions: [ObjectIdentifier: StreamSession] = [:]
  private var waiters: [CheckedContinuation<Void, Never>] = []
  private let symbols: [String]
  private(set) var slowClientCount = 0

  /// Bytes that a client may be behind before it is sent away: far more than what a playback at full
  /// speed leaves unread, for that one waits.
  private static let behindMax = 8 << 20

  init(symbols: [String]) { self.symbols = symbols.map { $0.lowercased() } }

  func name(of key: StreamKey) -> String { "\(symbols[key.market])@\(key.kind.suffix)" }

  /// The market stream of this name; nil when it is none.
  func key(of name: String) -> StreamKey? {
    let parts = name.split(separator: "@", maxSplits: 1)
    guard parts.count == 2, let market = symbols.firstIndex(of: String(parts[0])),
      let kind = StreamKind(suffix: parts[1])
    else { return nil }
    return StreamKey(market: market, kind: kind)
  }

  func add(_ session: StreamSession) { sessions[ObjectIdentifier(session)] = session }
  func remove(_ session: StreamSession) { sessions[ObjectIdentifier(session)] = nil }

  /// Someone's subscriptions have changed.
  func subscribed() {
    let woken = waiters
    waiters = []
    for waiter in woken { waiter.resume() }
  }

  func hasListeners(market: Int) -> Bool {
    sessions.values.contains { $0.keys.contains { $0.market == market } }
  }

  /// Until subscriptions change, or the hub is closed.
  func nextSubscription() async {
    await withCheckedContinuation { waiters.append($0) }
  }

  /// To everyone who listens; a client that is far behind is sent away, not waited for.
  func broadcast(_ message: ExchangeMessage) {
    for session in sessions.values where session.listens(to: message) {
      let text = session.text(message, name(of:))
      if !session.socket.trySend(.text, text, unsentMax: Self.behindMax) {
        slowClientCount += 1
        session.socket.startClosing(.policy("too slow"))
      }
    }
  }

  /// To everyone who listens, at the speed of the slowest: nothing is lost.
  func deliver(_ message: ExchangeMessage) async {
    for session in Array(sessions.values) where session.listens(to: message) {
      do throws(WebSocketError) {
        try await session.socket.send(text: session.text(message, name(of:)))
      } catch {
        // The session's own task sees the end and takes it out.
        remove(session)
      }
    }
  }

  func disconnect(_ scope: StreamScope) {
    for session in sessions.values {
      let isCut =
        switch scope {
        case .publicStreams: !session.keys.isEmpty
        case .privateStreams: !session.accounts.isEmpty
        }
      if isCut { session.socket.startClosing(.goingAway) }
    }
  }

  func close() {
    for session in sessions.values { session.socket.startClosing(.goingAway) }
    subscribed()
  }
}
