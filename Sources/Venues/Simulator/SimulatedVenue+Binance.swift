internal import Bytes
internal import Chrono
internal import JSON
internal import Security
internal import Transport

/// REST in Binance's words: authentication, weights, parameters, error codes.
extension SimulatedVenue {
  mutating func binanceAnswer(
    _ request: HTTPRequest, _ name: String, now: Instant
  ) -> VenueAnswer {
    guard let endpoint = VenueEndpoint(rawValue: name) else {
      return VenueAnswer(
        response: HTTPResponse(status: 404, contentType: "text/html", body: "Not Found"))
    }
    do throws(DialectError) {
      return try serve(endpoint, request, now: now)
    } catch {
      return VenueAnswer(response: response(to: error))
    }
  }

  private mutating func serve(
    _ endpoint: VenueEndpoint, _ request: HTTPRequest, now: Instant
  ) throws(DialectError) -> VenueAnswer {
    if faults.isClosed(now) { throw .unavailable }
    if let seconds = faults.banSeconds(now) {
      throw .banned(until: now + .seconds(seconds), now: now)
    }
    if faults.takes(.tooMany) {
      throw .tooManyRequests(exchange.settings.requestWeightPerMinuteMax)
    }
    let parameters = try RequestParameters(request)
    let address = request.peerAddress.prefix { $0 != ":" }
    let used = try limits.spend(
      try endpoint.weight(parameters), address: String(address), now: now)
    if endpoint.isOrderEntry, faults.takes(.internalError) { throw .disconnected }

    exchange.advance(to: now)
    let venueTime = venueTime(now)
    let account = try authenticate(endpoint, request, parameters, venueTime: venueTime)
    if endpoint == .placeOrder || endpoint == .cancelReplace {
      try limits.countOrder(account: account, now: now)
    }
    if endpoint == .cancelOrder, let order = try exchange.find(parameters, account) {
      beforeCancel(order)
    }
    var answer = VenueAnswer(response: HTTPResponse(status: 200))
    let body = try exchange.body(
      of: endpoint, parameters, account: account, venueTime: venueTime)
    answer.response = HTTPResponse(
      status: body.status, json: body.json,
      headers: [HTTPHeader("x-mbx-used-weight-1m", String(used))])
    if endpoint == .depth { answer.snapshotOf = parameters["symbol"] }
    if endpoint.isOrderEntry {
      if faults.takes(.statusUnknown) { answer.response = response(to: .timeout) }
      answer.isWithheld = faults.takes(.lostAcknowledgement)
    }
    return answer
  }

  /// The account that the request proves to come from; -1 where none is needed.
  private func authenticate(
    _ endpoint: VenueEndpoint, _ request: HTTPRequest, _ parameters: RequestParameters,
    venueTime: Instant
  ) throws(DialectError) -> Int {
    guard endpoint.security != .open else { return -1 }
    guard let key = request.header("x-mbx-apikey"), !key.isEmpty else { throw .keyFormat }
    guard let account = exchange.accountByKey[key] else { throw .keyRejected }
    guard endpoint.security == .signed else { return account }
    guard let timestamp = try parameters.integer("timestamp") else { throw .missing("timestamp") }
    let window = try parameters.integer("recvWindow") ?? 5_000
    guard window <= 60_000 else {
      throw DialectError(-1131, "recvWindow must be less than 60000")
    }
    let signature = try parameters.required("signature")
    let expected = Digest.hmacSHA256(
      Array(parameters.signedText.utf8), key: exchange.accounts[account].secret)
    guard let given = Hexadecimal.decode(signature), Digest.areEqual(given, expected) else {
      throw .signature
    }
    guard timestamp < venueTime.milliseconds + 1_000 else { throw .timestampAhead }
    guard venueTime.milliseconds - timestamp <= window else { throw .timestampOutsideWindow }
    return account
  }

  private func response(to error: DialectError) -> HTTPResponse {
    var json = JSONWriter()
    json.object { json in
      json.member("code", error.code)
      json.member("msg", error.message)
    }
    let headers =
      error.status == 429 || error.status == 418
      ? [HTTPHeader("retry-after", String(error.retrySeconds))] : []
    return HTTPResponse(status: error.status, json: json.finished(), headers: headers)
  }
}
