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
  /// `orders` and `account`.
  var privateChannels: Set<String> = []

  init(_ socket: WebSocket) { self.socket = socket }
}

/// OKX's WebSocket v5: public channels on `/ws/v5/public`, private ones and orders on
/// `/ws/v5/private`. The text `ping` is answered `pong`.
final class OKXDesk: StreamDesk {
  private var voice: OKXVoice
  private var sessions: [ObjectIdentifier: OKXSession] = [:]

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
      self, session, shell, isPrivate: request.path.hasPrefix("/ws/v5/private"))
    do throws(WebSocketError) {
      while let message = try await socket.receive() {
        for answer in command.answers(message.bytes) { say(answer, to: socket) }
      }
    } catch {
      shell.streamEnded(error)
    }
  }

  func hear(_ deliveries: [Delivery], _ shell: VenueShell) {
    for delivery in deliveries {
      for message in voice.messages(of: delivery, shell.venue.exchange) {
        for session in sessions.values where session.channels.contains(message.channel) {
          say(message.payload, to: session.socket)
        }
      }
      let time = delivery.happening.time
      switch delivery.happening.what {
      case .report(let order, let cause, _):
        var fill: PrivateTrade?
        if case .trade(let trade) = cause { fill = trade }
        tell("orders", order.account) { json in
          shell.venue.exchange.okxOrder(order, fill, &json)
        }
      case .balances(let account, let changed):
        tell("account", account) { json in
          shell.venue.exchange.okxBalances(changed, time, &json)
        }
      default: break
      }
    }
  }

  private func tell(_ channel: String, _ account: Int, _ data: (inout JSONWriter) -> Void) {
    let listeners = sessions.values.filter {
      $0.account == account && $0.privateChannels.contains(channel)
    }
    guard !listeners.isEmpty else { return }
    let payload = privateMessage(channel, data)
    for session in listeners { say(payload, to: session.socket) }
  }

  func privateMessage(_ channel: String, _ data: (inout JSONWriter) -> Void) -> [UInt8] {
    var json = JSONWriter(reserving: 1_024)
    json.object { json in
      json.name("arg")
      json.object { json in
        json.member("channel", channel)
        if channel == "orders" { json.member("instType", "SPOT") }
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
    case .books5, .bestBidOffer, .trades, .tickers: return nil
    }
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
      guard let known = OKXOperation(rest: operation) else {
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
    if argument["channel"]?.string == "instruments" { return .instruments }
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
    if name == "orders" || name == "account" { return subscribePrivate(name, argument) }
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
    let snapshot = desk.snapshot(channel, shell.venue.exchange, time)
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
      if let refusal = venue.okxRefusal("account \(account)", now: now) {
        return [frame(refusal.code, refusal.message) { _ in }]
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
