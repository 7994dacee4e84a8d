internal import Bytes
internal import Chrono
internal import JSON
internal import Loop
private import Synchronization
internal import Telemetry
internal import Transport
internal import Venue

/// Requests to OKX's REST API: signed, on the venue's clock, within its limits.
final class OKXREST: Sendable {
  let counters: VenueCounters
  let settings: VenueSettings
  let signer: OKXSigner
  private let http: VenueHTTP
  private let loop: EventLoop
  private let time: any TimeSource
  private let clock = Mutex(ClockOffset())
  private let budget = Mutex(RequestBudget([]))

  init(
    _ settings: VenueSettings, http: VenueHTTP, loop: EventLoop, time: any TimeSource
  ) {
    self.settings = settings
    self.http = http
    self.loop = loop
    self.time = time
    counters = http.counters
    signer = OKXSigner(
      apiKey: settings.apiKey, secret: settings.secret, passphrase: settings.passphrase)
    limit([])
  }

  /// The venue's clock minus ours; nil before it was first asked.
  var clockOffset: Duration? { clock.withLock { $0.offset } }

  /// How well the clock's offset is known, what is taken of the limits, and the breaker.
  var vitals: SessionVitals {
    let uses = budget.withLock { $0.uses(at: venueNow) }
    return SessionVitals(
      limits: OKXLimits.fullest(uses), breaker: http.breakerReport,
      clockUncertainty: clock.withLock { $0.errorMax },
      blockedFor: budget.withLock { $0.blocked(at: venueNow) })
  }

  /// Now by the venue's clock.
  var venueNow: Instant { time.now + (clockOffset ?? .zero) }

  /// Each instrument has limits of its own.
  func limit(_ instruments: [Instrument]) {
    let limits = OKXLimits.limits(instruments.map(\.venueSymbol), settings)
    budget.withLock { $0 = RequestBudget(limits) }
  }

  // MARK: Requests

  /// The body of an answer whose code is zero.
  func get(
    _ path: String, _ parameters: [(String, String)] = [], isSigned: Bool = true,
    instrument: String = ""
  ) async throws(VenueFailure) -> [UInt8] {
    let query = parameters.map { "\($0.0)=\(percentEncoded($0.1))" }.joined(separator: "&")
    let answer = try await send(
      "GET", path, query.isEmpty ? path : "\(path)?\(query)", [], isSigned: isSigned,
      instrument: instrument)
    let (code, text) = OKXErrors.codeAndText(answer.body)
    guard answer.status == 200, code == "0" else {
      throw OKXErrors.failure(status: answer.status, code: code, text: text)
    }
    return answer.body
  }

  /// The answer to an order request: for each order its own code, when the request was taken at
  /// all.
  func post(
    _ path: String, _ body: [UInt8], instrument: String, orders: Int = 1
  ) async throws(VenueFailure) -> [JSONValue] {
    let answer = try await send(
      "POST", path, path, body, isSigned: true, instrument: instrument, amount: orders)
    let (code, text) = OKXErrors.codeAndText(answer.body)
    guard answer.status == 200, !code.isEmpty else {
      throw OKXErrors.failure(status: answer.status, code: code, text: text)
    }
    do throws(JSONError) {
      let results = Array(try JSONDocument(parsing: answer.body).root.array("data"))
      // 1 and 2: all or some of them failed, each says why.
      if results.isEmpty || !["0", "1", "2"].contains(code) {
        throw JSONError.unexpected("no results")
      }
      return results
    } catch {
      // A success that cannot be read was carried out all the same.
      throw code == "0"
        ? .unknown("the answer cannot be read: \(error)")
        : OKXErrors.failure(status: answer.status, code: code, text: text)
    }
  }

  /// A request whose times the venue refuses was not carried out, so the clocks are compared anew and
  /// the request is made once more.
  private func send(
    _ method: String, _ path: String, _ target: String, _ body: [UInt8], isSigned: Bool,
    instrument: String, amount: Int = 1
  ) async throws(VenueFailure) -> (status: Int, body: [UInt8]) {
    let isOrder = method == "POST"
    try await admit(OKXLimits.costs(method, path, instrument, amount), waits: !isOrder)
    let answer = try await once(method, target, body, isSigned: isSigned)
    guard isSigned, OKXErrors.clocks.contains(OKXErrors.codeAndText(answer.body).0) else {
      return answer
    }
    clock.withLock { $0.forget() }
    try await compareClocks()
    return try await once(method, target, body, isSigned: isSigned)
  }

  private func once(
    _ method: String, _ target: String, _ body: [UInt8], isSigned: Bool
  ) async throws(VenueFailure) -> (status: Int, body: [UInt8]) {
    var request = HTTPClientRequest(
      method: method, url: settings.restURL + target, timeout: settings.requestTimeout)
    request.body = body
    if isSigned { request.headers = signer.headers(method, target, body, at: venueNow) }
    if !body.isEmpty { request.headers.append(HTTPHeader("content-type", "application/json")) }
    // An order that arrives late is refused instead of carried out.
    if method == "POST" {
      let expiry = venueNow + settings.receiveWindow
      request.headers.append(HTTPHeader("exptime", String(expiry.milliseconds)))
    }
    let response = try await http.send(
      request, Self.purpose(method, target, isSigned: isSigned), judge: Self.verdict)
    if response.status == 429 {
      counters.limited.increment()
      budget.withLock { $0.block(for: .seconds(1), at: venueNow) }
    }
    return (response.status, response.body)
  }

  static func purpose(
    _ method: String, _ target: String, isSigned: Bool
  ) -> RequestPurpose {
    guard isSigned else { return .data }
    guard method == "POST" else { return .account }
    return target.hasPrefix("/api/v5/trade/cancel") ? .cancel : .order
  }

  static func verdict(_ response: HTTPClientResponse) -> AnswerVerdict {
    let (code, text) = OKXErrors.codeAndText(response.body)
    // 1 and 2: orders of the request failed, each with a reason of its own.
    if response.status == 200, ["0", "1", "2"].contains(code) { return .good }
    return AnswerVerdict(OKXErrors.failure(status: response.status, code: code, text: text))
  }

  /// Asks the venue for its time, once.
  func compareClocks() async throws(VenueFailure) {
    let before = time.now
    let answer = try await once("GET", "/api/v5/public/time", [], isSigned: false)
    let after = time.now
    do throws(JSONError) {
      let entries = try JSONDocument(parsing: answer.body).root.array("data")
      guard let entry = entries.first else { throw .unexpected("no time in the answer") }
      let venue = try entry.instant(milliseconds: "ts")
      clock.withLock { $0.sample(sent: before, received: after, venue: venue) }
    } catch {
      throw .unknown("time: \(error)")
    }
  }

  /// Orders that do not fit are refused at once; a question waits for room, at most as long as a
  /// request may take.
  private func admit(
    _ costs: [RequestBudget.Cost], waits: Bool
  ) async throws(VenueFailure) {
    let deadline = loop.uptime + settings.requestTimeout
    while true {
      let answer = budget.withLock { $0.take(costs, at: venueNow) }
      guard case .wait(let wait, let limit) = answer else { return }
      counters.limited.increment()
      guard waits, loop.uptime + wait <= deadline else {
        throw .definite(.rateLimit, text: "held back for \(wait) by the limit \(limit)")
      }
      await loop.sleep(for: wait)
      guard !Task.isCancelled else { throw .givenUp(limit) }
    }
  }
}

extension OKXREST: PublicREST, VenueClock {
  var isOnProbation: Bool { http.isHalfOpen }

  func get(_ target: String, weight: Int) async throws(VenueError) -> [UInt8] {
    let path = String(target.prefix { $0 != "?" })
    do throws(VenueFailure) {
      let answer = try await send("GET", path, target, [], isSigned: false, instrument: "")
      let (code, text) = OKXErrors.codeAndText(answer.body)
      guard answer.status == 200, code == "0" else {
        throw OKXErrors.failure(status: answer.status, code: code, text: text)
      }
      return answer.body
    } catch {
      throw error.asVenueError
    }
  }
}

extension OKXREST: PrivateDoor {
  /// A login on the socket opens it.
  func openTicket() async throws(VenueFailure) -> String { "" }
  func extendTicket(_ ticket: String) async throws(VenueFailure) {}
}
