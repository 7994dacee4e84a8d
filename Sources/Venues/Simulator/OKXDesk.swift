internal import Chrono
internal import JSON
internal import Transport
internal import Units

/// One client's WebSocket v5 and what it listens to.
final class OKXSession {
  let socket: WebSocket
  var channels: Set<OKXChannel> = []
  /// Whose private channels it may have, once it has logged in.
  var account: Int?
  /// `orders`, `account` and `orders-algo`.
  var privateChannels: Set<String> = []

  init(_ socket: WebSocket) { self.socket = socket }
}

/// OKX's WebSocket v5: public channels on `/ws/v5/public`, private ones and orders on
/// `/ws/v5/private`, algo orders on `/ws/v5/business`. The text `ping` is answered `pong`.
final class OKXDesk: StreamDesk {
  private var voice: OKXVoice
  private var sessions: [ObjectIdentifier: OKXSession] = [:]
  let subscriptions = SubscriptionWait()
  /// What is to be told, as it comes up.
  private var outbox: [Telling] = []

  let behindMax: Int
  var clientCount: Int { sessions.count }

  init(_ exchange: borrowing SimulatedExchange, behindMax: Int) {
    voice = OKXVoice(exchange)
    self.behindMax = behindMax
  }

  func serve(_ socket: WebSocket, _ request: HTTPRequest, _ shell: VenueShell) async {
    let session = OKXSession(socket)
    sessions[ObjectIdentifier(session)] = session
    defer { sessions[ObjectIdentifier(session)] = nil }
    let command = OKXCommand(
      self, session, shell, isPrivate: !request.path.hasPrefix("/ws/v5/public"))
    do throws(WebSocketError) {
      while let message = try await socket.receive() {
        for answer in command.answers(message.bytes) { say(answer, to: socket) }
        subscriptions.wake()
      }
    } catch {
      shell.streamEnded(error)
    }
  }

  func hasListeners(market: Int) -> Bool {
    sessions.values.contains { $0.channels.contains(.books(market: market)) }
  }

  func tellings(_ deliveries: [Delivery], _ shell: VenueShell) -> [Telling] {
    defer { outbox = [] }
    for delivery in deliveries {
      for message in voice.messages(of: delivery, shell.venue.exchange) {
        for session in sessions.values where session.channels.contains(message.channel) {
          outbox.append(Telling(socket: session.socket, text: message.payload))
        }
      }
      let time = delivery.happening.time
      switch delivery.happening.what {
      case .report(let order, let cause, _): tell(order, cause, shell)
      case .balances(let account, let changed):
        tell("account", account) { json in
          shell.venue.exchange.okxBalances(changed, time, &json)
        }
      default: break
      }
    }
    return outbox
  }

  /// A stop that waits is an algo order; from its trigger on it is an order too.
  private func tell(_ order: PrivateOrder, _ cause: ReportCause, _ shell: VenueShell) {
    var fill: PrivateTrade?
    var isAlgo = order.working == nil
    switch cause {
    case .trade(let trade): fill = trade
    case .triggered: isAlgo = true
    default: break
    }
    if isAlgo {
      tell("orders-algo", order.account) { json in shell.venue.exchange.okxAlgo(order, &json) }
    }
    guard order.working != nil else { return }
    tell("orders", order.account) { json in shell.venue.exchange.okxOrder(order, fill, &json) }
  }

  private func tell(_ channel: String, _ account: Int, _ data: (inout JSONWriter) -> Void) {
    let listeners = sessions.values.filter {
      $0.account == account && $0.privateChannels.contains(channel)
    }
    guard !listeners.isEmpty else { return }
    let payload = privateMessage(channel, data)
    for session in listeners { outbox.append(Telling(socket: session.socket, text: payload)) }
  }

  func privateMessage(_ channel: String, _ data: (inout JSONWriter) -> Void) -> [UInt8] {
    var json = JSONWriter(reserving: 1_024)
    json.object { json in
      json.name("arg")
      json.object { json in
        json.member("channel", channel)
        if channel.hasPrefix("orders") { json.member("instType", "SPOT") }
      }
      json.name("data")
      json.array { json in data(&json) }
    }
    return json.finished()
  }

  /// What a new subscriber gets at once; nil for a channel that begins with its next message.
  func snapshot(
    _ channel: OKXChannel, _ exchange: borrowing SimulatedExchange, _ time: Instant
  ) -> [UInt8]? {
    switch channel {
    case .books(let market): return voice.bookSnapshot(market: market, time: time)
    case .instruments:
      return voice.message(.instruments) { json in
        for index in exchange.markets.indices { exchange.okxInstrument(index, &json) }
      }
    // Told by the command, which knows the time.
    case .status, .books5, .bestBidOffer, .trades, .tickers: return nil
    }
  }

  func status(_ maintenance: Maintenance, _ now: Instant) -> [UInt8] {
    voice.status(maintenance, now)
  }

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

/// One message of a client on OKX's WebSocket, and what it is answered.
struct OKXCommand {
  private let desk: OKXDesk
  private let session: OKXSession
  private let shell: VenueShell
  private let isPrivate: Bool

  init(_ desk: OKXDesk, _ session: OKXSession, _ shell: VenueShell, isPrivate: Bool) {
    self.desk = desk
    self.session = session
    self.shell = shell
    self.isPrivate = isPrivate
  }

  func answers(_ message: [UInt8]) -> [[UInt8]] {
    if message == Array("ping".utf8) { return [Array("pong".utf8)] }
    let root: JSONValue
    do throws(JSONError) {
      root = try JSONDocument(parsing: message).root
    } catch {
      return [failed(60_012, "Invalid request: \(String(decoding: message, as: UTF8.self))")]
    }
    let operation = root["op"]?.string ?? ""
    let list = root["args"]?.array.map { Array($0) } ?? []
    switch operation {
    case "login": return [logIn(list.first)]
    case "subscribe": return list.flatMap { subscribe($0) }
    case "unsubscribe": return list.map { unsubscribe($0) }
    default:
      guard let known = OKXOperation(rest: operation), !known.isAlgo else {
        return [failed(60_012, "Invalid request: \(operation)")]
      }
      return trade(known, operation, root, list)
    }
  }

  /// Signed over the seconds, GET and the path of the verification (docs: "WebSocket login").
  private func logIn(_ fields: JSONValue?) -> [UInt8] {
    let result = shell.command { venue, now -> Result<Int, OKXError> in
      do throws(OKXError) {
        guard let key = fields?["apiKey"]?.string, let account = venue.exchange.accountByKey[key]
        else { throw OKXError(60_005, "Invalid apiKey") }
        guard let text = fields?["timestamp"]?.string, let seconds = Int64(text) else {
          throw OKXError(60_004, "Invalid timestamp")
        }
        guard abs(venue.venueTime(now).seconds - seconds) <= 30 else {
          throw OKXError(60_006, "Timestamp request expired")
        }
        do throws(OKXError) {
          try venue.okxCheck(
            account, sign: fields?["sign"]?.string, passphrase: fields?["passphrase"]?.string,
            over: Array("\(text)GET/users/self/verify".utf8))
        } catch {
          throw error.code == 50_105
            ? OKXError(60_024, "Wrong passphrase") : OKXError(60_007, "Invalid sign")
        }
        return .success(account)
      } catch {
        return .failure(error)
      }
    }
    switch result {
    case .failure(let error): return failed(error.code, error.message)
    case .success(let account):
      session.account = account
      return event("login") { json in
        json.member("code", "0")
        json.member("msg", "")
      }
    }
  }

  // MARK: Channels

  private func channel(_ argument: JSONValue) -> OKXChannel? {
    switch argument["channel"]?.string {
    case "instruments": return .instruments
    case "status": return .status
    default: break
    }
    let symbol = argument["instId"]?.string ?? ""
    guard let market = shell.command({ venue, _ in venue.exchange.marketBySymbol[symbol] }) else {
      return nil
    }
    switch argument["channel"]?.string {
    case "books": return .books(market: market)
    case "books5": return .books5(market: market)
    case "bbo-tbt": return .bestBidOffer(market: market)
    case "trades": return .trades(market: market)
    case "tickers": return .tickers(market: market)
    default: return nil
    }
  }

  private func subscribe(_ argument: JSONValue) -> [[UInt8]] {
    let name = argument["channel"]?.string ?? ""
    if ["orders", "account", "orders-algo"].contains(name) {
      return subscribePrivate(name, argument)
    }
    guard !isPrivate, let channel = channel(argument) else {
      let symbol = argument["instId"]?.string.map { ",instId:\($0)" } ?? ""
      let text =
        "Wrong URL or channel:\(name)\(symbol) doesn't exist. Please use the correct URL, "
        + "channel and parameters referring to API document."
      return [failed(60_018, text)]
    }
    session.channels.insert(channel)
    let time = shell.command { venue, now in
      venue.subscribed("\(name) \(argument["instId"]?.string ?? "")")
      return venue.venueTime(now)
    }
    var snapshot = desk.snapshot(channel, shell.venue.exchange, time)
    if channel == .status, let maintenance = shell.venue.maintenance {
      snapshot = desk.status(maintenance, time)
    }
    return [subscribed(argument)] + [snapshot].compactMap(\.self)
  }

  private func subscribePrivate(_ name: String, _ argument: JSONValue) -> [[UInt8]] {
    guard isPrivate, let account = session.account else {
      return [failed(60_011, "Please log in")]
    }
    session.privateChannels.insert(name)
    guard name == "account" else { return [subscribed(argument)] }
    let time = shell.command { venue, now in venue.venueTime(now) }
    let balances = shell.venue.exchange.okxBalances(account)
    let snapshot = desk.privateMessage(name) { json in
      shell.venue.exchange.okxBalances(balances, time, &json)
    }
    return [subscribed(argument), snapshot]
  }

  private func unsubscribe(_ argument: JSONValue) -> [UInt8] {
    if let channel = channel(argument) { session.channels.remove(channel) }
    session.privateChannels.remove(argument["channel"]?.string ?? "")
    return event("unsubscribe") { json in
      json.name("arg")
      json.value(argument)
    }
  }

  private func subscribed(_ argument: JSONValue) -> [UInt8] {
    event("subscribe") { json in
      json.name("arg")
      json.value(argument)
    }
  }

  // MARK: Orders

  private func trade(
    _ operation: OKXOperation, _ name: String, _ root: JSONValue, _ list: [JSONValue]
  ) -> [[UInt8]] {
    guard isPrivate, let account = session.account else {
      return [failed(60_011, "Please log in")]
    }
    let frame = { (code: Int, text: String, data: (inout JSONWriter) -> Void) -> [UInt8] in
      var json = JSONWriter(reserving: 512)
      json.object { json in
        if let id = root["id"] {
          json.name("id")
          json.value(id)
        }
        json.member("op", name)
        json.member("code", String(code))
        json.member("msg", text)
        json.name("data")
        json.array { json in data(&json) }
      }
      return json.finished()
    }
    return shell.command { venue, now in
      do throws(OKXError) {
        if let refusal = venue.okxRefusal(now: now) { throw refusal }
        try venue.okxCount("POST trade/\(name)", list, account, now: now)
      } catch {
        return [frame(error.code, error.message) { _ in }]
      }
      let (body, isLost) = venue.okxTrade(operation, list, account, now: now, envelope: frame)
      return isLost ? [] : [body]
    }
  }

  // MARK: Frames

  private func event(_ name: String, _ body: (inout JSONWriter) -> Void) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.member("event", name)
      body(&json)
      json.member("connId", "a0b1c2d3")
    }
    return json.finished()
  }

  private func failed(_ code: Int, _ message: String) -> [UInt8] {
    event("error") { json in
      json.member("code", String(code))
      json.member("msg", message)
    }
  }
}
