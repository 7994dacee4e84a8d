internal import Chrono
internal import JSON
internal import Loop
internal import Transport
internal import Units

/// One client's WebSocket v2 and what it listens to.
final class KrakenSession {
  let socket: WebSocket
  var channels: Set<KrakenChannel> = []
  /// The account of the private channels, and the number of the last message of each.
  var account: Int?
  var sequences: [String: Int] = [:]

  init(_ socket: WebSocket) { self.socket = socket }

  /// Numbers the next message of a private channel.
  func privateMessage(_ channel: String, _ type: String, _ data: [[UInt8]]) -> [UInt8] {
    let sequence = (sequences[channel] ?? 0) + 1
    sequences[channel] = sequence
    var json = JSONWriter(reserving: 512)
    json.object { json in
      json.member("channel", channel)
      json.member("type", type)
      json.name("data")
      json.array { json in for element in data { json.raw(element) } }
      json.member("sequence", sequence)
    }
    return json.finished()
  }
}

/// Kraken's WebSocket v2: public and private channels and orders on `/v2`.
final class KrakenDesk: StreamDesk {
  private var voice: KrakenVoice
  private var sessions: [ObjectIdentifier: KrakenSession] = [:]
  let subscriptions = SubscriptionWait()
  /// What is to be told, as it comes up.
  private var outbox: [Telling] = []
  /// What each account was last told to own of an asset.
  private var told: [Int: [String: AssetAmount]] = [:]

  /// In the absence of anything else, says the documentation; here always.
  private static let heartbeat = Duration.seconds(1)

  let behindMax: Int
  var clientCount: Int { sessions.count }

  init(_ exchange: borrowing SimulatedExchange, behindMax: Int) {
    voice = KrakenVoice(exchange)
    self.behindMax = behindMax
  }

  func serve(_ socket: WebSocket, _ request: HTTPRequest, _ shell: VenueShell) async {
    let session = KrakenSession(socket)
    sessions[ObjectIdentifier(session)] = session
    defer {
      sessions[ObjectIdentifier(session)] = nil
      forgetUnheard()
    }
    let isClosed = shell.command { venue, now in venue.faults.isClosed(now) }
    say(Self.status(session, isClosed: isClosed), to: socket)
    beat(session, shell)
    do throws(WebSocketError) {
      while let message = try await socket.receive() {
        for answer in KrakenCommand(self, session, shell).answers(message.bytes) {
          say(answer, to: socket)
        }
        subscriptions.wake()
      }
    } catch {
      shell.streamEnded(error)
    }
  }

  /// Heartbeats go on whatever a fault does to the data.
  private func beat(_ session: KrakenSession, _ shell: VenueShell) {
    shell.loop.schedule(after: Self.heartbeat) { [weak self, weak session, weak shell] in
      guard let self, let session, let shell, sessions[ObjectIdentifier(session)] != nil else {
        return
      }
      if say(Array(#"{"channel":"heartbeat"}"#.utf8), to: session.socket) { beat(session, shell) }
    }
  }

  /// "Generated on successful connection and when the trading engine status changes"
  /// (docs.kraken.com/api/docs/websocket-v2/status).
  private static func status(_ session: KrakenSession, isClosed: Bool) -> [UInt8] {
    let connection = ObjectIdentifier(session).hashValue
    var json = JSONWriter()
    json.object { json in
      json.member("channel", "status")
      json.member("type", "update")
      json.name("data")
      json.array { json in
        json.object { json in
          json.member("version", "2.0.10")
          json.member("system", isClosed ? "maintenance" : "online")
          json.member("api_version", "v2")
          json.member("connection_id", UInt64(bitPattern: Int64(connection)))
        }
      }
    }
    return json.finished()
  }

  // MARK: Telling

  func hasListeners(market: Int) -> Bool {
    sessions.values.contains { session in
      session.channels.contains { if case .book(market, _) = $0 { true } else { false } }
    }
  }

  func tellings(_ deliveries: [Delivery], _ shell: VenueShell) -> [Telling] {
    defer { outbox = [] }
    for delivery in deliveries {
      for message in voice.messages(of: delivery, shell.venue.exchange) {
        for session in sessions.values where session.channels.contains(message.channel) {
          outbox.append(Telling(socket: session.socket, text: message.payload))
        }
      }
      switch delivery.happening.what {
      case .report(let order, let cause, _):
        let time = delivery.happening.time
        for data in shell.venue.exchange.krakenExecutions(order, cause, time) {
          tell("executions", order.account, [data])
        }
      case .balances(let account, let changed):
        tellBalances(account, changed, delivery.happening.time)
      case .maintenance(let maintenance):
        let isClosed = maintenance.isOngoing(delivery.happening.time)
        for session in sessions.values {
          outbox.append(
            Telling(
              socket: session.socket, text: Self.status(session, isClosed: isClosed)))
        }
      default: break
      }
    }
    return outbox
  }

  private func tell(_ channel: String, _ account: Int, _ data: [[UInt8]]) {
    for session in sessions.values
    where session.account == account && session.sequences[channel] != nil {
      outbox.append(
        Telling(socket: session.socket, text: session.privateMessage(channel, "update", data)))
    }
  }

  private func tellBalances(
    _ account: Int, _ changed: [(asset: String, balance: Balance)], _ time: Instant
  ) {
    var data: [[UInt8]] = []
    for (asset, balance) in changed {
      let total = balance.free + balance.locked
      // What is locked is not told here: only totals.
      guard let before = told[account]?[asset], before != total else {
        told[account, default: [:]][asset] = total
        continue
      }
      told[account, default: [:]][asset] = total
      var json = JSONWriter()
      json.object { json in
        json.member("asset", asset)
        json.member("asset_class", "currency")
        json.member("type", "trade")
        json.member("category", "trade")
        json.member("wallet_type", "spot")
        json.member("wallet_id", "main")
        json.member("amount", number: (total - before).text)
        json.member("balance", number: total.text)
        json.member("timestamp", time.krakenText)
      }
      data.append(json.finished())
    }
    if !data.isEmpty { tell("balances", account, data) }
  }

  /// The snapshot of the channel `balances`; totals are told from here on.
  func balances(of account: Int, _ exchange: borrowing SimulatedExchange) -> [[UInt8]] {
    exchange.accounts[account].balances.sorted { $0.key < $1.key }.map { asset, balance in
      let total = balance.free + balance.locked
      told[account, default: [:]][asset] = total
      var json = JSONWriter()
      json.object { json in
        json.member("asset", asset)
        json.member("asset_class", "currency")
        json.member("balance", number: total.text)
        json.name("wallets")
        json.array { json in
          json.object { json in
            json.member("type", "spot")
            json.member("id", "main")
            json.member("balance", number: total.text)
          }
        }
      }
      return json.finished()
    }
  }

  /// The snapshot of a public channel; nil for one that begins with its next update.
  func snapshot(_ channel: KrakenChannel, _ exchange: borrowing SimulatedExchange) -> [UInt8]? {
    switch channel {
    case .book(let market, let depth): voice.bookSnapshot(market: market, depth: depth)
    case .trade(let market):
      voice.tradeMessage("snapshot", exchange.markets[market].recentTrades.suffix(50), market)
    case .ticker(let market):
      voice.ticker(
        "snapshot", market, bid: exchange.markets[market].engine.best(.buy),
        ask: exchange.markets[market].engine.best(.sell))
    case .instrument: voice.instruments("snapshot", exchange.markets, withAssets: true)
    case .orders(let market, let depth):
      voice.orderSnapshot(market: market, depth: depth, exchange)
    }
  }

  func unsubscribe(_ session: KrakenSession, _ channel: KrakenChannel) -> Bool {
    defer { forgetUnheard() }
    return session.channels.remove(channel) != nil
  }

  private func forgetUnheard() {
    let heard = sessions.values.reduce(into: Set<KrakenChannel>()) { $0.formUnion($1.channels) }
    voice.keep(heard)
  }

  // MARK: Ending

  func disconnect(_ scope: StreamScope) {
    for session in sessions.values {
      let isCut =
        switch scope {
        case .publicStreams: !session.channels.isEmpty
        case .privateStreams: session.account != nil
        }
      if isCut { session.socket.startClosing(.goingAway) }
    }
  }

  func close() {
    for session in sessions.values { session.socket.startClosing(.goingAway) }
    subscriptions.wake()
  }
}
