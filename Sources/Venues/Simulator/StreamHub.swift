internal import Transport

/// Binance's streams: names in the path or by SUBSCRIBE, alone or combined.
final class StreamHub: StreamDesk {
  private var sessions: [ObjectIdentifier: StreamSession] = [:]
  let subscriptions = SubscriptionWait()
  private let symbols: [String]
  private var paths: [StreamKey: FaultyPath<ExchangeMessage>] = [:]

  let behindMax: Int
  var clientCount: Int { sessions.count }

  init(symbols: [String], behindMax: Int) {
    self.symbols = symbols.map { $0.lowercased() }
    self.behindMax = behindMax
  }

  func name(of key: StreamKey) -> String { "\(symbols[key.market])@\(key.kind.suffix)" }

  /// The market stream of this name; nil when it is none.
  func key(of name: String) -> StreamKey? {
    let parts = name.split(separator: "@", maxSplits: 1)
    guard parts.count == 2, let market = symbols.firstIndex(of: String(parts[0])),
      let kind = StreamKind(suffix: parts[1])
    else { return nil }
    return StreamKey(market: market, kind: kind)
  }

  func hasListeners(market: Int) -> Bool {
    sessions.values.contains { $0.keys.contains { $0.market == market } }
  }

  // MARK: Sockets

  func serve(_ socket: WebSocket, _ request: HTTPRequest, _ shell: VenueShell) async {
    let path = request.path
    var names = ""
    if path == "/stream" {
      names = request.queryItems?.first { $0.name == "streams" }?.value ?? ""
    } else if path.hasPrefix("/ws/") {
      names = percentDecoded(path.dropFirst(4)) ?? ""
    }
    let session = StreamSession(socket, isCombined: path == "/stream")
    let resolve: StreamResolver = { [self] name in
      if let key = key(of: name) { return .market(key) }
      return shell.account(ofListenKey: name).map { .account($0) }
    }
    for name in names.split(separator: "/") { session.subscribe(String(name), resolve) }
    sessions[ObjectIdentifier(session)] = session
    subscriptions.wake()
    defer { sessions[ObjectIdentifier(session)] = nil }
    do throws(WebSocketError) {
      while let message = try await socket.receive() {
        let known = Set(session.names)
        let answer = session.answer(message.bytes, resolve)
        let new = session.names.filter { !known.contains($0) && key(of: $0) != nil }
        shell.command { venue, _ in new.forEach { venue.subscribed($0) } }
        try await socket.send(text: answer)
        subscriptions.wake()
      }
    } catch {
      shell.streamEnded(error)
    }
  }

  // MARK: Telling

  func tellings(_ deliveries: [Delivery], _ shell: VenueShell) -> [Telling] {
    messages(deliveries, shell).flatMap { message in
      sessions.values.filter { $0.listens(to: message) }.map {
        Telling(socket: $0.socket, text: $0.text(message, name(of:)))
      }
    }
  }

  /// What the deliveries become, the faulty ones too.
  private func messages(_ deliveries: [Delivery], _ shell: VenueShell) -> [ExchangeMessage] {
    deliveries.flatMap { delivery -> [ExchangeMessage] in
      guard
        let message = shell.venue.exchange.binanceMessage(
          of: delivery.happening, isCrossed: delivery.fault == .crossed)
      else { return [] }
      guard case .market(let key, _) = message,
        key.kind == .depthFast || key.kind == .depthSlow
      else { return [message] }
      return paths[key, default: FaultyPath()].pass([message], delivery.fault)
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
    subscriptions.wake()
  }
}
