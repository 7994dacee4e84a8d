internal import Bytes
internal import Chrono
internal import JSON
internal import Security
internal import Transport
internal import Units
internal import Venue

/// REST in Kraken's words (docs.kraken.com/api/docs/rest-api): every answer is 200 with `error` and
/// `result`.
extension SimulatedVenue {
  mutating func krakenAnswer(_ request: HTTPRequest, now: Instant) -> VenueAnswer {
    var answer = VenueAnswer(response: HTTPResponse(status: 200))
    do throws(KrakenError) {
      let result = try krakenResult(request, now: now, &answer)
      var json = JSONWriter(reserving: result.count + 32)
      json.object { json in
        json.name("error")
        json.array { _ in }
        json.name("result")
        json.raw(result)
      }
      answer.response = HTTPResponse(status: 200, json: json.finished())
    } catch {
      var json = JSONWriter()
      json.object { json in
        json.name("error")
        json.array { json in json.string(error.text) }
      }
      answer.response = HTTPResponse(status: 200, json: json.finished())
    }
    return answer
  }

  /// Refusals that come before a request is looked at.
  mutating func krakenRefusal(now: Instant) -> KrakenError? {
    if faults.isClosed(now) { return KrakenError("EService:Unavailable") }
    if faults.banSeconds(now) != nil { return KrakenError("EGeneral:Temporary lockout") }
    if faults.takes(.tooMany) { return .tooManyCalls }
    return nil
  }

  /// Public calls are limited by address.
  private mutating func countPublic(_ request: HTTPRequest, now: Instant) throws(KrakenError) {
    do throws(DialectError) {
      _ = try limits.spend(1, address: String(request.peerAddress.prefix { $0 != ":" }), now: now)
    } catch {
      throw .tooManyCalls
    }
  }

  private mutating func krakenResult(
    _ request: HTTPRequest, now: Instant, _ answer: inout VenueAnswer
  ) throws(KrakenError) -> [UInt8] {
    let isPrivate = request.path.hasPrefix("/0/private/")
    let isAboutStatus = request.path == "/0/public/SystemStatus"
    if !isAboutStatus, let refusal = krakenRefusal(now: now) { throw refusal }
    guard let fields = KrakenFields(request) else { throw KrakenError("EAPI:Bad request") }
    exchange.advance(to: now)
    let name = String(request.path.split(separator: "/").last ?? "")
    guard isPrivate else {
      try countPublic(request, now: now)
      return try krakenPublic(name, fields, now: now, &answer)
    }
    let account = try krakenAccount(request, fields)
    if !KrakenCounters.engineCalls.contains(name) {
      try krakenCounters.call(name, account: account, now: now)
    }
    guard Self.krakenOrderNames.contains(name) else {
      return try krakenPrivate(name, fields, account, now: now)
    }
    if faults.takes(.internalError) { throw KrakenError("EGeneral:Internal error") }
    let result = try krakenTrade(name, fields, account, now: now)
    if faults.takes(.statusUnknown) { throw KrakenError("EService:Timeout") }
    answer.isWithheld = faults.takes(.lostAcknowledgement)
    return result
  }

  private static var krakenOrderNames: Set<String> {
    ["AddOrder", "AmendOrder", "EditOrder", "CancelOrder", "CancelAll"]
  }

  /// API-Sign is HMAC-SHA512 of the path and SHA-256 of nonce and body, in Base64
  /// (docs: "Spot REST Authentication").
  private mutating func krakenAccount(
    _ request: HTTPRequest, _ fields: KrakenFields
  ) throws(KrakenError) -> Int {
    guard request.method == "POST", let key = request.header("api-key"),
      let account = exchange.accountByKey[key]
    else { throw KrakenError("EAPI:Invalid key") }
    guard let text = fields["nonce"], let nonce = UInt64(text) else {
      throw KrakenError("EAPI:Invalid nonce")
    }
    let inner = Digest.sha256(Array(text.utf8) + request.body)
    let tag = Digest.hmacSHA512(
      Array(request.path.utf8) + inner, key: exchange.accounts[account].secret)
    guard let sign = request.header("api-sign"), sign == Base64.standard.encode(tag) else {
      throw KrakenError("EAPI:Invalid signature")
    }
    guard kraken.accepts(nonce, of: account) else { throw KrakenError("EAPI:Invalid nonce") }
    return account
  }

  // MARK: Public

  private func krakenPublic(
    _ name: String, _ fields: KrakenFields, now: Instant, _ answer: inout VenueAnswer
  ) throws(KrakenError) -> [UInt8] {
    let time = venueTime(now)
    switch name {
    case "Time":
      return Self.krakenObject { json in
        json.member("unixtime", time.seconds)
        json.member("rfc1123", time.krakenText)
      }
    case "SystemStatus":
      return Self.krakenObject { json in
        json.member("status", faults.isClosed(now) ? "maintenance" : "online")
        json.member("timestamp", time.krakenText)
      }
    case "AssetPairs":
      var chosen = Array(exchange.markets.indices)
      if let pairs = fields["pair"] {
        chosen = []
        for pair in pairs.split(separator: ",") {
          chosen.append(try exchange.krakenMarket(String(pair)))
        }
      }
      return Self.krakenObject { json in for index in chosen { krakenPair(index, &json) } }
    case "Depth":
      let market = exchange.markets[try exchange.krakenMarket(fields["pair"])]
      let count = min(500, max(1, fields["count"].flatMap { Int($0) } ?? 100))
      answer.snapshotOf = market.settings.symbol
      return Self.krakenObject { json in krakenDepth(market, count, time, &json) }
    case "Trades":
      return try exchange.krakenTrades(
        fields["pair"], since: fields["since"], count: fields["count"])
    default: throw KrakenError("EGeneral:Unknown method")
    }
  }

  private func krakenPair(_ index: Int, _ json: inout JSONWriter) {
    let market = exchange.markets[index]
    let instrument = market.settings.instrument
    let fee = { (points: Int64) in decimalText(Int128(points), scale: 2) }
    json.name(market.settings.krakenPairName)
    json.object { json in
      json.member("altname", market.settings.krakenAltName)
      json.member("wsname", market.settings.symbol)
      json.member("base", Self.krakenBalanceName(instrument.base))
      json.member("quote", Self.krakenBalanceName(instrument.quote))
      json.member("pair_decimals", instrument.priceScale)
      json.member("lot_decimals", instrument.quantityScale)
      json.member("cost_decimals", 5)
      json.member("lot_multiplier", 1)
      for (name, points) in [
        ("fees", exchange.settings.takerFeeBasisPoints),
        ("fees_maker", exchange.settings.makerFeeBasisPoints),
      ] {
        json.name(name)
        json.array { json in
          json.array { json in
            json.integer(0)
            json.number(text: fee(points))
          }
        }
      }
      json.member("ordermin", market.settings.krakenText(instrument.minQuantity))
      json.member("costmin", market.settings.krakenText(instrument.minNotional))
      json.member("tick_size", market.settings.krakenText(instrument.tickSize))
      json.member("status", market.isHalted ? "cancel_only" : "online")
    }
  }

  private func krakenDepth(
    _ market: ExchangeMarket, _ count: Int, _ time: Instant, _ json: inout JSONWriter
  ) {
    json.name(market.settings.krakenPairName)
    json.object { json in
      for (name, side) in [("asks", Side.sell), ("bids", .buy)] {
        json.name(name)
        json.array { json in
          for level in market.engine.levels(side, max: count) {
            json.array { json in
              json.string(market.settings.krakenText(level.price))
              json.string(market.settings.krakenText(level.quantity))
              json.integer(time.seconds)
            }
          }
        }
      }
    }
  }

  // MARK: Orders

  private mutating func krakenTrade(
    _ name: String, _ fields: KrakenFields, _ account: Int, now: Instant
  ) throws(KrakenError) -> [UInt8] {
    try krakenCheck(deadline: fields["deadline"], now: now)
    switch name {
    case "AddOrder":
      let form = KrakenOrderForm(rest: fields)
      if form.isValidation {
        let order = try exchange.krakenValidate(form, account)
        return Self.krakenObject { json in writeKrakenDescription(order, &json) }
      }
      let order = try krakenPlace(form, account, now: now)
      return Self.krakenObject { json in
        writeKrakenDescription(order, &json)
        json.name("txid")
        json.array { json in json.string(KrakenID.text(order.id, "O")) }
      }
    case "AmendOrder":
      let order = try exchange.krakenOpenOrder(fields["txid"], fields["cl_ord_id"], account)
      try krakenCount(.amend(age: now - order.since), order, now: now)
      _ = try exchange.krakenAmend(
        order, price: fields["limit_price"], quantity: fields["order_qty"],
        trigger: fields["trigger_price"], display: fields["display_qty"])
      return Self.krakenObject { json in json.member("amend_id", KrakenID.text(order.id, "T")) }
    case "EditOrder":
      let old = try exchange.krakenOpenOrder(fields["txid"], nil, account)
      var form = KrakenOrderForm(rest: fields)
      try krakenCount(.edit(age: now - old.since), old, now: now)
      if old.isStop { (form.trigger, form.price) = (fields["price"], fields["price2"]) }
      return krakenEdited(try exchange.krakenEdit(old, form), old)
    case "CancelOrder":
      let order = try exchange.krakenOpenOrder(fields["txid"], fields["cl_ord_id"], account)
      try krakenCancel(order, now: now)
      return Self.krakenObject { json in json.member("count", 1) }
    default:
      let count = try krakenCancelAll(account, now: now)
      return Self.krakenObject { json in json.member("count", count) }
    }
  }

  /// The engine takes no order after its deadline, which lies two seconds to a minute ahead
  /// (docs.kraken.com/api/docs/rest-api/add-order).
  private func krakenCheck(deadline text: String?, now: Instant) throws(KrakenError) {
    guard let text else { return }
    guard let deadline = Instant(rfc3339: text) else { throw .invalid("deadline") }
    let ahead = deadline - venueTime(now)
    guard ahead >= .seconds(2) else { throw KrakenError("EService:Deadline elapsed") }
    guard ahead <= .seconds(60) else { throw .invalid("deadline") }
  }

  private func krakenEdited(_ order: PrivateOrder, _ old: PrivateOrder) -> [UInt8] {
    let market = exchange.markets[order.market].settings
    return Self.krakenObject { json in
      json.member("status", "ok")
      json.member("txid", KrakenID.text(order.id, "O"))
      json.member("originaltxid", KrakenID.text(old.id, "O"))
      json.member("volume", market.krakenText(order.quantity))
      json.member("price", market.krakenText(order.terms.trigger ?? order.price))
      if order.isStop { json.member("price2", market.krakenText(order.price)) }
      json.member("orders_cancelled", 1)
      writeKrakenDescription(order, &json)
    }
  }

  private func writeKrakenDescription(_ order: PrivateOrder, _ json: inout JSONWriter) {
    let market = exchange.markets[order.market].settings
    var text = "\(order.sideText.lowercased()) \(market.krakenText(order.quantity)) "
    text += "\(market.krakenAltName) @ \(order.isStop ? "stop loss" : order.krakenType)"
    if let trigger = order.terms.trigger { text += " \(market.krakenText(trigger))" }
    if order.type == .limit {
      text += (order.isStop ? " -> limit " : " ") + market.krakenText(order.price)
    }
    json.name("descr")
    json.object { json in json.member("order", text) }
  }

  static func krakenBalanceName(_ asset: String) -> String {
    switch asset {
    case "BTC": "XXBT"
    case "ETH": "XETH"
    case "USD": "ZUSD"
    default: asset
    }
  }

  static func krakenObject(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
    var json = JSONWriter(reserving: 512)
    json.object { json in body(&json) }
    return json.finished()
  }
}

/// The fields of a request: its query and its body, a form or a JSON object.
struct KrakenFields {
  private var values: [String: String] = [:]

  /// Nil when the body cannot be read.
  init?(_ request: HTTPRequest) {
    var items = request.queryItems ?? []
    if request.body.first == UInt8(ascii: "{") {
      do throws(JSONError) {
        for member in try JSONDocument(parsing: request.body).root.object.map(Array.init) ?? [] {
          values[member.name] = member.value.stringOrNumberText ?? member.value.description
        }
      } catch {
        return nil
      }
    } else {
      let form = HTTPRequest(
        method: "POST", target: "/?" + String(decoding: request.body, as: UTF8.self))
      guard let more = form.queryItems else { return nil }
      items += more
    }
    for (name, value) in items { values[name] = value }
  }

  subscript(name: String) -> String? { values[name] }
}
