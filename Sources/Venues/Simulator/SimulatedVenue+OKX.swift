internal import Bytes
internal import Chrono
internal import JSON
internal import Security
internal import Transport
internal import Units
internal import Venue

/// REST in OKX's words (www.okx.com/docs-v5): `code`, `msg` and `data`.
extension SimulatedVenue {
  mutating func okxAnswer(_ request: HTTPRequest, now: Instant) -> VenueAnswer {
    var answer = VenueAnswer(response: HTTPResponse(status: 200))
    do throws(OKXError) {
      let body = try okxBody(request, now: now, &answer)
      answer.response = HTTPResponse(status: 200, json: body)
    } catch {
      let body = Self.okxEnvelope(code: error.code, error.message) { _ in }
      answer.response = HTTPResponse(status: error.status, json: body)
    }
    return answer
  }

  mutating func okxRefusal(now: Instant) -> OKXError? {
    if faults.isClosed(now) {
      return OKXError(
        status: 503, 50_001, "Service temporarily unavailable. Please try again later")
    }
    return faults.banSeconds(now) != nil || faults.takes(.tooMany) ? .tooManyRequests : nil
  }

  private mutating func okxBody(
    _ request: HTTPRequest, now: Instant, _ answer: inout VenueAnswer
  ) throws(OKXError) -> [UInt8] {
    let isAboutStatus = request.path == "/api/v5/system/status"
    if !isAboutStatus, let refusal = okxRefusal(now: now) { throw refusal }
    exchange.advance(to: now)
    let name = "\(request.method) \(request.path.dropFirst("/api/v5/".count))"
    let address = String(request.peerAddress.prefix { $0 != ":" })
    if request.method == "GET" {
      let instruments = request.queryItems?.filter { $0.name == "instId" }.map(\.value) ?? []
      try okxCounters.spend(
        name, request.header("ok-access-key") ?? address, instruments, now: now)
    }
    if isAboutStatus {
      return Self.okxEnvelope(code: 0, "") { json in maintenance?.writeOKX(venueTime(now), &json) }
    }
    if name.hasPrefix("GET public/") || name.hasPrefix("GET market/") {
      return try okxPublic(name, request, now: now, &answer)
    }
    let account = try okxAccount(request, now: now)
    guard name.hasPrefix("POST trade/") else { return try okxPrivate(name, request, account, now) }
    try okxCheck(expiry: request.header("exptime"), now: now)
    let document: JSONDocument
    do throws(JSONError) {
      document = try JSONDocument(parsing: request.body)
    } catch {
      throw OKXError(status: 400, 50_002, "JSON syntax error")
    }
    let operation = String(name.dropFirst("POST trade/".count))
    guard let known = OKXOperation(rest: operation) else {
      throw OKXError(status: 404, 404, "Resource not found")
    }
    let list = document.root.array.map { Array($0) } ?? [document.root]
    try okxCount(name, list, account, now: now)
    let (body, isLost) = okxTrade(known, list, account, now: now, envelope: Self.okxEnvelope)
    answer.isWithheld = isLost
    return body
  }

  /// The signature is over time, method, path with query, and body (docs: "REST Authentication").
  private func okxAccount(_ request: HTTPRequest, now: Instant) throws(OKXError) -> Int {
    guard let key = request.header("ok-access-key"), let account = exchange.accountByKey[key] else {
      throw OKXError(status: 401, 50_111, "Invalid OK-ACCESS-KEY")
    }
    let text = request.header("ok-access-timestamp") ?? ""
    guard let time = Instant(rfc3339: text) else {
      throw OKXError(status: 401, 50_112, "Invalid OK-ACCESS-TIMESTAMP")
    }
    let away = venueTime(now) - time
    guard away <= .seconds(30), away >= .seconds(-30) else {
      throw OKXError(status: 401, 50_102, "Timestamp request expired")
    }
    try okxCheck(
      account, sign: request.header("ok-access-sign"),
      passphrase: request.header("ok-access-passphrase"),
      over: Array("\(text)\(request.method)\(request.target)".utf8) + request.body)
    return account
  }

  /// A request is not taken after the time that it names (docs: "expTime").
  private func okxCheck(expiry text: String?, now: Instant) throws(OKXError) {
    guard let text else { return }
    guard let milliseconds = Int64(text) else { throw .parameter("expTime") }
    guard venueTime(now).milliseconds <= milliseconds else {
      throw OKXError(
        50_036,
        "The expTime can't be earlier than the current system time. Please adjust the "
          + "expTime and try again.")
    }
  }

  func okxCheck(
    _ account: Int, sign: String?, passphrase: String?, over message: [UInt8]
  ) throws(OKXError) {
    let tag = Digest.hmacSHA256(message, key: exchange.accounts[account].secret)
    guard sign == Base64.standard.encode(tag) else {
      throw OKXError(status: 401, 50_113, "Invalid Sign")
    }
    guard passphrase == exchange.accounts[account].passphrase else {
      throw OKXError(status: 401, 50_105, "Request header OK-ACCESS-PASSPHRASE incorrect.")
    }
  }

  // MARK: Answers

  static func okxEnvelope(
    code: Int, _ message: String, _ data: (inout JSONWriter) -> Void
  ) -> [UInt8] {
    var json = JSONWriter(reserving: 1_024)
    json.object { json in
      json.member("code", String(code))
      json.member("msg", message)
      json.name("data")
      json.array { json in data(&json) }
    }
    return json.finished()
  }

  private func okxPublic(
    _ name: String, _ request: HTTPRequest, now: Instant, _ answer: inout VenueAnswer
  ) throws(OKXError) -> [UInt8] {
    func query(_ name: String) -> String? {
      request.queryItems?.first { $0.name == name }?.value
    }
    let time = venueTime(now)
    switch name {
    case "GET public/time":
      return Self.okxEnvelope(code: 0, "") { json in
        json.object { json in json.member("ts", String(time.milliseconds)) }
      }
    case "GET public/instruments":
      guard query("instType") == "SPOT" else { throw .parameter("instType") }
      var chosen = Array(exchange.markets.indices)
      if let symbol = query("instId") { chosen = [try exchange.okxMarket(symbol)] }
      return Self.okxEnvelope(code: 0, "") { json in
        for index in chosen { exchange.okxInstrument(index, &json) }
      }
    case "GET market/books":
      let market = exchange.markets[try exchange.okxMarket(query("instId"))]
      let size = min(400, max(1, query("sz").flatMap { Int($0) } ?? 1))
      answer.snapshotOf = market.settings.symbol
      return Self.okxEnvelope(code: 0, "") { json in
        json.object { json in
          for (name, side) in [("asks", Side.sell), ("bids", .buy)] {
            json.name(name)
            json.array { json in
              for level in market.engine.levels(side, max: size) {
                market.settings.writeOKX(level, &json)
              }
            }
          }
          json.member("ts", String(time.milliseconds))
          json.member("seqId", market.lastUpdateID)
        }
      }
    case "GET market/trades":
      let market = exchange.markets[try exchange.okxMarket(query("instId"))]
      return Self.okxEnvelope(code: 0, "") { json in
        for trade in market.recentTrades.suffix(100).reversed() {
          market.settings.writeOKX(trade, &json)
        }
      }
    case "GET market/history-trades":
      let market = exchange.markets[try exchange.okxMarket(query("instId"))]
      // By trade id, which `type` 1 asks for and is the default; newest first.
      guard query("type") ?? "1" == "1" else { throw .parameter("type") }
      let before = query("after").flatMap { UInt64($0) } ?? .max
      let most = min(100, max(1, query("limit").flatMap { Int($0) } ?? 100))
      let older = market.recentTrades.filter { $0.id < before }.suffix(most)
      return Self.okxEnvelope(code: 0, "") { json in
        for trade in older.reversed() { market.settings.writeOKX(trade, &json) }
      }
    default: throw OKXError(status: 404, 404, "Resource not found")
    }
  }
}
