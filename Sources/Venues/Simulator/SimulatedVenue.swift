internal import Bytes
package import Chrono
internal import JSON
internal import Security
package import Transport

/// An answer to a REST request, and what else the request asks of the shell.
package struct VenueAnswer: Sendable {
  package var response: HTTPResponse
  /// The request was carried out, but its answer must get lost.
  package var isWithheld = false
  package var disconnects: Set<StreamScope> = []
  /// A snapshot of this symbol's book was given out.
  package var snapshotOf: String?
  /// Held playbacks are to begin.
  package var startsReplays = false
}

/// The exchange behind its REST dialect: authentication, weights, parameters, error codes, faults.
package struct SimulatedVenue: ~Copyable {
  package var exchange: SimulatedExchange
  package private(set) var faults = VenueFaults()
  /// How often each endpoint was asked, by `GET /api/v3/depth`.
  package private(set) var requestCounts: [String: Int] = [:]
  private var limits: RequestLimits

  package init(exchange: consuming SimulatedExchange) {
    limits = RequestLimits(
      weightPerMinuteMax: exchange.settings.requestWeightPerMinuteMax,
      ordersPerTenSecondsMax: exchange.settings.ordersPerTenSecondsMax)
    self.exchange = exchange
  }

  /// Messages for the streams, less those that a fault loses.
  package mutating func takeMessages() -> [ExchangeMessage] {
    exchange.takeMessages().filter { message in
      guard case .market(let key, _) = message,
        key.kind == .depthFast || key.kind == .depthSlow
      else { return true }
      return !faults.losesDepth(of: exchange.markets[key.market].settings.symbol)
    }
  }

  package mutating func answer(_ request: HTTPRequest, now: Instant) -> VenueAnswer {
    let name = "\(request.method) \(request.path)"
    do throws(DialectError) {
      switch name {
      case "POST /sim/v1/faults": return try command(request)
      case "POST /sim/v1/replay:start":
        return VenueAnswer(
          response: HTTPResponse(status: 200, json: Array("{}".utf8)), startsReplays: true)
      case "GET /sim/v1/status": return VenueAnswer(response: status())
      default: break
      }
      guard let endpoint = VenueEndpoint(rawValue: name) else {
        return VenueAnswer(
          response: HTTPResponse(status: 404, contentType: "text/html", body: "Not Found"))
      }
      requestCounts[name, default: 0] += 1
      return try serve(endpoint, request, now: now)
    } catch {
      return VenueAnswer(response: response(to: error))
    }
  }

  private mutating func serve(
    _ endpoint: VenueEndpoint, _ request: HTTPRequest, now: Instant
  ) throws(DialectError) -> VenueAnswer {
    if faults.takes(\.tooManyRequests) {
      throw .tooManyRequests(exchange.settings.requestWeightPerMinuteMax)
    }
    let parameters = try RequestParameters(request)
    let address = request.peerAddress.prefix { $0 != ":" }
    let used = try limits.spend(
      try endpoint.weight(parameters), address: String(address), now: now)
    if endpoint.isOrderEntry, faults.takes(\.internalErrors) { throw .disconnected }

    exchange.advance(to: now)
    let venueTime = now + .milliseconds(faults.clockSkewMilliseconds)
    let account = try authenticate(endpoint, request, parameters, venueTime: venueTime)
    if endpoint == .placeOrder || endpoint == .cancelReplace {
      try limits.countOrder(account: account, now: now)
    }
    var answer = VenueAnswer(response: HTTPResponse(status: 200))
    let body = try exchange.body(
      of: endpoint, parameters, account: account, venueTime: venueTime)
    answer.response = HTTPResponse(
      status: body.status, json: body.json,
      headers: [HTTPHeader("x-mbx-used-weight-1m", String(used))])
    if endpoint == .depth { answer.snapshotOf = parameters["symbol"] }
    if endpoint.isOrderEntry {
      if faults.takes(\.gatewayTimeouts) { answer.response = response(to: .timeout) }
      answer.isWithheld = faults.takes(\.dropOrderAcknowledgements)
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
    let headers = error.status == 429 ? [HTTPHeader("retry-after", "1")] : []
    return HTTPResponse(status: error.status, json: json.finished(), headers: headers)
  }

  // MARK: Administration

  private mutating func command(_ request: HTTPRequest) throws(DialectError) -> VenueAnswer {
    var answer = VenueAnswer(response: HTTPResponse(status: 200, json: Array("{}".utf8)))
    answer.disconnects = try faults.apply(
      request.body, symbols: Set(exchange.marketBySymbol.keys))
    for index in exchange.markets.indices {
      let symbol = exchange.markets[index].settings.symbol
      exchange.markets[index].isHalted = faults.halted.contains(symbol)
    }
    return answer
  }

  private func status() -> HTTPResponse {
    var json = JSONWriter()
    json.object { json in
      json.name("requests")
      json.object { json in
        for (name, count) in requestCounts.sorted(by: { $0.key < $1.key }) {
          json.member(name, count)
        }
      }
      json.name("markets")
      json.object { json in
        for market in exchange.markets {
          json.name(market.settings.symbol)
          json.object { json in
            json.member("lastUpdateId", market.lastUpdateID)
            json.member("halted", market.isHalted)
          }
        }
      }
    }
    return HTTPResponse(status: 200, json: json.finished())
  }
}
