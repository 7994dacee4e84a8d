internal import Chrono
internal import JSON
internal import Loop
internal import Security
private import Synchronization
internal import Telemetry
internal import Transport
internal import Venue

/// Requests to Binance's REST API: signed with the key's secret, on the venue's clock.
final class BinanceREST: Sendable {
  enum Access {
    case open
    /// The key alone, in a header.
    case key
    /// Key, timestamp and HMAC-SHA256 over the parameters.
    case signed
  }

  /// A whole answer of any status.
  struct Answer {
    let status: Int
    let body: [UInt8]
    /// The venue's count of this minute's weight, and when to come back, where it says so.
    var usedWeight: Int?
    var retryAfter: Int?

    var isSuccess: Bool { (200..<300).contains(status) }

    /// The code of an error body.
    var code: Int64? {
      do throws(JSONError) {
        return try JSONDocument(parsing: body).root.int64("code")
      } catch {
        return nil
      }
    }
  }

  let counters: VenueCounters
  private let market: BinanceMarket
  private let http: VenueHTTP
  private let settings: VenueSettings
  private let signer: MessageSigner
  private let loop: EventLoop
  private let time: any TimeSource
  private let clock = Mutex(ClockOffset())
  private let budget: Mutex<RequestBudget>

  init(
    _ market: BinanceMarket, _ settings: VenueSettings, http: VenueHTTP, loop: EventLoop,
    time: any TimeSource
  ) {
    self.market = market
    self.settings = settings
    signer = MessageSigner(key: settings.secret)
    self.http = http
    self.loop = loop
    self.time = time
    counters = http.counters
    budget = Mutex(
      RequestBudget(
        market.limits(weightMax: settings.requestWeightMax, orderMax: settings.orderRateMax)))
  }

  /// The venue's clock minus ours; nil before it was first asked.
  var clockOffset: Duration? { clock.withLock { $0.offset } }

  /// How well the clock's offset is known, what is taken of the limits, and the breaker.
  var vitals: SessionVitals {
    let now = time.now + (clockOffset ?? .zero)
    return SessionVitals(
      limits: budget.withLock { $0.uses(at: now) }, breaker: http.breakerReport,
      clockUncertainty: clock.withLock { $0.errorMax },
      blockedFor: budget.withLock { $0.blocked(at: now) })
  }

  /// The body of a successful answer.
  func body(
    _ method: String, _ path: String, _ parameters: [(String, String)] = [], _ access: Access
  ) async throws(VenueFailure) -> [UInt8] {
    let answer = try await send(method, path, parameters, access)
    guard answer.isSuccess else {
      throw BinanceErrors.failure(status: answer.status, body: answer.body)
    }
    return answer.body
  }

  /// The answer of any status. A timestamp that the venue refuses (-1021) was not carried out, so
  /// the clocks are compared anew and the request is made once more.
  func send(
    _ method: String, _ path: String, _ parameters: [(String, String)], _ access: Access
  ) async throws(VenueFailure) -> Answer {
    let answer = try await once(method, path, parameters, access)
    guard access == .signed, answer.status == 400, answer.code == -1021 else { return answer }
    // One of the clocks has moved.
    clock.withLock { $0.forget() }
    try await compareClocks()
    return try await once(method, path, parameters, access)
  }

  /// Asks the venue for its time, once.
  func compareClocks() async throws(VenueFailure) {
    let before = time.now
    let answer = try await once("GET", "\(market.restPath)/time", [], .open)
    let after = time.now
    guard answer.isSuccess else {
      throw BinanceErrors.failure(status: answer.status, body: answer.body)
    }
    do throws(JSONError) {
      let venue = try JSONDocument(parsing: answer.body).root.instant(milliseconds: "serverTime")
      clock.withLock { $0.sample(sent: before, received: after, venue: venue) }
    } catch {
      throw .unknown("time: \(error)")
    }
  }

  private func once(
    _ method: String, _ path: String, _ parameters: [(String, String)], _ access: Access
  ) async throws(VenueFailure) -> Answer {
    var query = parameters.map { "\($0.0)=\(percentEncoded($0.1))" }.joined(separator: "&")
    if access == .signed { query = signed(query) }
    let url = settings.restURL + path + (query.isEmpty ? "" : "?" + query)
    var request = HTTPClientRequest(method: method, url: url, timeout: settings.requestTimeout)
    if access != .open { request.headers = [HTTPHeader("x-mbx-apikey", settings.apiKey)] }
    try await admit(method, path, parameters)
    let response = try await http.send(request, Self.purpose(method, access)) { response in
      (200..<300).contains(response.status)
        ? .good
        : AnswerVerdict(BinanceErrors.failure(status: response.status, body: response.body))
    }
    let answer = Answer(
      status: response.status, body: response.body,
      usedWeight: response.header("x-mbx-used-weight-1m").flatMap { Int($0) },
      retryAfter: response.header("retry-after").flatMap { Int($0) })
    observe(answer)
    return answer
  }

  private static func purpose(_ method: String, _ access: Access) -> RequestPurpose {
    switch (access, method) {
    case (.open, _): .data
    case (.signed, "POST"), (.signed, "PUT"): .order
    case (.signed, "DELETE"): .cancel
    case (.signed, _), (.key, _): .account
    }
  }

  private func signed(_ query: String) -> String {
    let timestamp = (time.now + (clockOffset ?? .zero)).milliseconds
    let window = settings.receiveWindow.wholeNanoseconds / 1_000_000
    let text =
      query + (query.isEmpty ? "" : "&") + "recvWindow=\(window)&timestamp=\(timestamp)"
    var bytes = Array(text.utf8)
    signer.sign(&bytes, "&signature=")
    return String(decoding: bytes, as: UTF8.self)
  }

  // MARK: Limits

  /// Takes the request's weight from the budget. Orders that do not fit are refused at once;
  /// anything else waits for room, at most as long as a request may take.
  private func admit(
    _ method: String, _ path: String, _ parameters: [(String, String)]
  ) async throws(VenueFailure) {
    let isOrder = method == "POST" && path.contains("/order")
    var costs = [
      RequestBudget.Cost(BinanceMarket.weightLimit, market.weight(of: method, path, parameters))
    ]
    if isOrder { costs.append(RequestBudget.Cost(BinanceMarket.orderLimit, 1)) }
    let deadline = loop.uptime + settings.requestTimeout
    while true {
      let now = time.now + (clockOffset ?? .zero)
      let answer = budget.withLock { $0.take(costs, isCancel: method == "DELETE", at: now) }
      guard case .wait(let wait, let limit) = answer else { return }
      counters.limited.increment()
      guard !isOrder, loop.uptime + wait <= deadline else {
        throw .definite(.rateLimit, text: "held back for \(wait) by the limit \(limit)")
      }
      await loop.sleep(for: wait)
      guard !Task.isCancelled else { throw .givenUp(limit) }
    }
  }

  private func observe(_ answer: Answer) {
    let now = time.now + (clockOffset ?? .zero)
    budget.withLock { budget in
      if let used = answer.usedWeight {
        budget.observe(used, of: BinanceMarket.weightLimit, at: now)
      }
      // 418 is a ban for having gone on after 429.
      if answer.status == 429 || answer.status == 418 {
        counters.limited.increment()
        budget.block(for: .seconds(answer.retryAfter ?? 1), at: now)
      }
    }
  }
}

extension BinanceREST: PublicREST, VenueClock {
  var isOnProbation: Bool { http.isHalfOpen }

  func get(_ target: String, weight: Int) async throws(VenueError) -> [UInt8] {
    let parts = target.split(separator: "?", maxSplits: 1)
    let parameters = (parts.count > 1 ? parts[1] : "").split(separator: "&").map { pair in
      let sides = pair.split(separator: "=", maxSplits: 1).map(String.init)
      return (sides[0], sides.count > 1 ? sides[1] : "")
    }
    do throws(VenueFailure) {
      return try await body("GET", String(parts[0]), parameters, .open)
    } catch {
      throw error.asVenueError
    }
  }
}

extension BinanceREST: PrivateDoor {
  private static let listenKeyPath = "/api/v3/userDataStream"

  /// A listen key.
  func openTicket() async throws(VenueFailure) -> String {
    let body = try await body("POST", Self.listenKeyPath, [], .key)
    do throws(JSONError) {
      return try JSONDocument(parsing: body).root.string("listenKey")
    } catch {
      throw .unknown(error.description)
    }
  }

  func extendTicket(_ ticket: String) async throws(VenueFailure) {
    _ = try await body("PUT", Self.listenKeyPath, [("listenKey", ticket)], .key)
  }
}
