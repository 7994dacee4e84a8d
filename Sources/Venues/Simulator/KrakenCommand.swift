internal import Chrono
internal import JSON
internal import Units

/// One message of a client on Kraken's WebSocket, and what it is answered.
struct KrakenCommand {
  private let desk: KrakenDesk
  private let session: KrakenSession
  private let shell: VenueShell

  init(_ desk: KrakenDesk, _ session: KrakenSession, _ shell: VenueShell) {
    self.desk = desk
    self.session = session
    self.shell = shell
  }

  func answers(_ message: [UInt8]) -> [[UInt8]] {
    let root: JSONValue
    do throws(JSONError) {
      root = try JSONDocument(parsing: message).root
    } catch {
      return [Array(#"{"error":"Malformed request","success":false}"#.utf8)]
    }
    let method = root["method"]?.string ?? ""
    let time = shell.command { venue, now in venue.venueTime(now) }
    let envelope = KrakenEnvelope(method: method, id: root["req_id"], time: time)
    let fields = root["params"]
    do throws(KrakenError) {
      switch method {
      case "ping": return [envelope.pong]
      case "subscribe": return try subscribe(fields, envelope)
      case "unsubscribe": return try unsubscribe(fields, envelope)
      case "add_order", "amend_order", "edit_order", "cancel_order", "cancel_all":
        return try trade(method, fields, envelope)
      default: throw KrakenError("Unsupported method")
      }
    } catch {
      return [envelope.failed(error, symbol: nil)]
    }
  }

  // MARK: Channels

  private func channel(_ fields: JSONValue?, _ symbol: String) throws(KrakenError) -> KrakenChannel
  {
    let found = shell.command { venue, _ in venue.exchange.marketBySymbol[symbol] }
    guard let market = found else { throw KrakenError("Currency pair not supported \(symbol)") }
    switch fields?["channel"]?.string {
    case "book":
      let depth = fields?["depth"]?.int ?? 10
      guard KrakenVoice.depths.contains(depth) else {
        throw KrakenError("Subscription depth not supported")
      }
      return .book(market: market, depth: depth)
    case "level3":
      _ = try account(fields)
      let depth = fields?["depth"]?.int ?? 10
      guard KrakenOrderVoice.depths.contains(depth) else {
        throw KrakenError("Subscription depth not supported")
      }
      shell.command { venue, _ in venue.exchange.markets[market].tellsOrders = true }
      return .orders(market: market, depth: depth)
    case "trade": return .trade(market: market)
    case "ticker": return .ticker(market: market)
    default: throw KrakenError("Subscription name invalid")
    }
  }

  private func subscribe(
    _ fields: JSONValue?, _ envelope: KrakenEnvelope
  ) throws(KrakenError) -> [[UInt8]] {
    let name = fields?["channel"]?.string ?? ""
    let wantsSnapshot = fields?["snapshot"]?.bool ?? true
    if name == "executions" || name == "balances" {
      return try subscribePrivate(name, fields, wantsSnapshot, envelope)
    }
    if name == "instrument" {
      return open(.instrument, name, nil, wantsSnapshot, envelope)
    }
    guard let symbols = fields?["symbol"]?.array?.compactMap(\.string), !symbols.isEmpty else {
      throw KrakenError("Symbol(s) not found")
    }
    var answers: [[UInt8]] = []
    for symbol in symbols {
      do throws(KrakenError) {
        let channel = try channel(fields, symbol)
        guard !session.channels.contains(channel) else { throw KrakenError("Already subscribed") }
        answers += open(channel, name, symbol, wantsSnapshot, envelope)
      } catch {
        answers.append(envelope.failed(error, symbol: symbol))
      }
    }
    return answers
  }

  private func open(
    _ channel: KrakenChannel, _ name: String, _ symbol: String?, _ wantsSnapshot: Bool,
    _ envelope: KrakenEnvelope
  ) -> [[UInt8]] {
    session.channels.insert(channel)
    shell.command { venue, _ in
      venue.subscribed(name + (symbol.map { " \($0)" } ?? ""))
    }
    let acknowledgement = envelope.done { json in
      json.member("channel", name)
      if let depth = channel.depth { json.member("depth", depth) }
      json.member("snapshot", wantsSnapshot)
      if let symbol { json.member("symbol", symbol) }
    }
    let snapshot = desk.snapshot(channel, shell.venue.exchange)
    return [acknowledgement] + (wantsSnapshot ? [snapshot].compactMap(\.self) : [])
  }

  private func unsubscribe(
    _ fields: JSONValue?, _ envelope: KrakenEnvelope
  ) throws(KrakenError) -> [[UInt8]] {
    let name = fields?["channel"]?.string ?? ""
    if name == "executions" || name == "balances" {
      guard session.sequences.removeValue(forKey: name) != nil else {
        throw KrakenError("Subscription Not Found")
      }
      return [envelope.done { $0.member("channel", name) }]
    }
    var answers: [[UInt8]] = []
    for symbol in fields?["symbol"]?.array?.compactMap(\.string) ?? [] {
      let channel = try channel(fields, symbol)
      guard desk.unsubscribe(session, channel) else {
        answers.append(envelope.failed(KrakenError("Subscription Not Found"), symbol: symbol))
        continue
      }
      answers.append(
        envelope.done { json in
          json.member("channel", name)
          if let depth = channel.depth { json.member("depth", depth) }
          json.member("symbol", symbol)
        })
    }
    return answers
  }

  private func account(_ fields: JSONValue?) throws(KrakenError) -> Int {
    let token = fields?["token"]?.string ?? ""
    let found = shell.command { venue, now in venue.kraken.account(of: token, now: now) }
    guard let account = found else { throw .invalidSession }
    return account
  }

  private func subscribePrivate(
    _ name: String, _ fields: JSONValue?, _ wantsSnapshot: Bool, _ envelope: KrakenEnvelope
  ) throws(KrakenError) -> [[UInt8]] {
    let account = try account(fields)
    guard session.sequences[name] == nil else { throw KrakenError("Already subscribed") }
    session.account = account
    session.sequences[name] = 0
    let acknowledgement = envelope.done { json in
      json.member("channel", name)
      json.member("snapshot", wantsSnapshot)
    }
    let exchange = { [shell] in
      shell.venue.exchange.ledger.openOrders(account: account, market: nil).map {
        shell.venue.exchange.krakenExecution($0, "new", nil, $0.updated)
      }
    }
    let data =
      name == "balances" ? desk.balances(of: account, shell.venue.exchange) : exchange()
    return [acknowledgement]
      + (wantsSnapshot ? [session.privateMessage(name, "snapshot", data)] : [])
  }

  // MARK: Orders

  private func trade(
    _ method: String, _ fields: JSONValue?, _ envelope: KrakenEnvelope
  ) throws(KrakenError) -> [[UInt8]] {
    let account = try account(fields)
    let result = shell.command { venue, now -> Result<[UInt8]?, KrakenError> in
      do throws(KrakenError) {
        if let refusal = venue.krakenRefusal(now: now) { throw refusal }
        if venue.faults.takes(.internalError) { throw KrakenError("EGeneral:Internal error") }
        let answer = try carryOut(method, fields, account, &venue, envelope, now: now)
        if venue.faults.takes(.statusUnknown) { throw KrakenError("EService:Timeout") }
        return .success(venue.faults.takes(.lostAcknowledgement) ? nil : answer)
      } catch {
        return .failure(error)
      }
    }
    return try result.get().map { [$0] } ?? []
  }

  private func carryOut(
    _ method: String, _ fields: JSONValue?, _ account: Int, _ venue: inout SimulatedVenue,
    _ envelope: KrakenEnvelope, now: Instant
  ) throws(KrakenError) -> [UInt8] {
    func text(_ name: String) -> String? { fields?[name]?.stringOrNumberText }
    func first(_ name: String) -> String? { fields?[name]?.string ?? fields?[name]?[0]?.string }
    switch method {
    case "add_order":
      let form = KrakenOrderForm(socket: fields)
      let order =
        form.isValidation
        ? try venue.exchange.krakenValidate(form, account)
        : try venue.krakenPlace(form, account, now: now)
      return envelope.done { json in
        if !form.isValidation { json.member("order_id", KrakenID.text(order.id, "O")) }
        json.member("cl_ord_id", order.clientOrderID)
      }
    case "amend_order":
      let order = try venue.exchange.krakenOpenOrder(
        text("order_id"), text("cl_ord_id"), account)
      try venue.krakenCount(.amend(age: now - order.since), order, now: now)
      _ = try venue.exchange.krakenAmend(
        order, price: text("limit_price"), quantity: text("order_qty"),
        trigger: text("trigger_price"), display: text("display_qty"))
      return envelope.done { json in
        json.member("amend_id", KrakenID.text(order.id, "T"))
        json.member("order_id", KrakenID.text(order.id, "O"))
      }
    case "edit_order":
      let old = try venue.exchange.krakenOpenOrder(text("order_id"), nil, account)
      try venue.krakenCount(.edit(age: now - old.since), old, now: now)
      let order = try venue.exchange.krakenEdit(old, KrakenOrderForm(socket: fields))
      return envelope.done { json in
        json.member("order_id", KrakenID.text(order.id, "O"))
        json.member("original_order_id", KrakenID.text(old.id, "O"))
      }
    case "cancel_order":
      let order = try venue.exchange.krakenOpenOrder(
        first("order_id"), first("cl_ord_id"), account)
      try venue.krakenCancel(order, now: now)
      return envelope.done { json in
        json.member("order_id", KrakenID.text(order.id, "O"))
        json.member("cl_ord_id", order.clientOrderID)
      }
    default:
      let count = try venue.krakenCancelAll(account, now: now)
      return envelope.done { $0.member("count", count) }
    }
  }
}

/// The frame of an answer: which request it is to, and when it came and went.
struct KrakenEnvelope {
  let method: String
  let id: JSONValue?
  let time: Instant

  var pong: [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.member("method", "pong")
      writeEnd(&json)
    }
    return json.finished()
  }

  func done(_ result: (inout JSONWriter) -> Void) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.member("method", method)
      json.name("result")
      json.object { json in result(&json) }
      json.member("success", true)
      writeEnd(&json)
    }
    return json.finished()
  }

  func failed(_ error: KrakenError, symbol: String?) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.member("error", error.text)
      json.member("method", method)
      json.member("success", false)
      if let symbol { json.member("symbol", symbol) }
      writeEnd(&json)
    }
    return json.finished()
  }

  private func writeEnd(_ json: inout JSONWriter) {
    if let id {
      json.name("req_id")
      json.value(id)
    }
    json.member("time_in", time.krakenText)
    json.member("time_out", time.krakenText)
  }
}
