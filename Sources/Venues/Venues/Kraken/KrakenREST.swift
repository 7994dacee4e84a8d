internal import Chrono
internal import JSON
internal import Loop
private import Synchronization
internal import Telemetry
internal import Transport
internal import Venue

/// Requests to Kraken's REST API. Private ones are signed and go out one after the other, as their
/// nonces must arrive in order.
final class KrakenREST: Sendable {
  let counters: VenueCounters
  private let http: VenueHTTP
  private let settings: VenueSettings
  private let signature: KrakenSignature
  private let loop: EventLoop
  private let time: any TimeSource
  private let lane = RequestLane()
  private let nonces: Mutex<NonceReserve>
  private let store: (any NonceStore)?
  private let clock = Mutex(ClockOffset())
  private let limits: Mutex<KrakenLimits>

  /// `secret`: decoded.
  init(
    _ settings: VenueSettings, secret: [UInt8], http: VenueHTTP, loop: EventLoop,
    time: any TimeSource
  ) throws(NonceStoreError) {
    self.settings = settings
    signature = KrakenSignature(secret: secret)
    self.http = http
    self.loop = loop
    self.time = time
    counters = http.counters
    store = settings.nonces
    nonces = Mutex(NonceReserve(saved: try settings.nonces?.load()))
    limits = Mutex(KrakenLimits(KrakenLimits.Settings(settings.ownLimits)))
  }

  /// The venue's clock minus ours; nil before it was first asked.
  var clockOffset: Duration? { clock.withLock { $0.offset } }

  /// One of the clocks has moved.
  func forgetClock() { clock.withLock { $0.forget() } }

  /// How well the clock's offset is known, what is taken of the limits, and the breaker.
  var vitals: SessionVitals {
    let now = time.now
    return SessionVitals(
      limits: limits.withLock { $0.uses(at: now) }, breaker: http.breakerReport,
      clockUncertainty: clock.withLock { $0.errorMax },
      blockedFor: limits.withLock { $0.lockout(at: now) } ?? .zero)
  }

  /// The moment by the venue's clock, as well as we know it.
  var venueNow: Instant { time.now + (clockOffset ?? .zero) }

  // MARK: Orders' own limit

  /// How long ago we placed or amended an order; nil when that was not of late.
  func age(of clientOrderID: String) -> Duration? {
    let now = time.now
    return limits.withLock { $0.age(of: clientOrderID, at: now) }
  }

  func takeOrder(
    _ clientOrderID: String, _ change: KrakenLimits.Change, of pair: String
  ) -> RequestBudget.Answer {
    let now = time.now
    return limits.withLock { $0.takeOrder(clientOrderID, change, of: pair, at: now) }
  }

  // MARK: Public

  /// The body of a success, with its `error` and `result`.
  func publicBody(_ target: String) async throws(VenueFailure) -> [UInt8] {
    let url = settings.restURL + target
    var request = HTTPClientRequest(url: url, timeout: settings.requestTimeout)
    request.headers = [Self.userAgent]
    let response = try await exchange(request, .data)
    _ = try result(response)
    return response.body
  }

  /// Asks the venue for its time, once. It tells whole seconds, so the middle of the second counts,
  /// and the estimate is half a second off at most, the way of the question aside. The stream's
  /// answers tell microseconds (`heard`), and count before this as soon as there is one.
  func compareClocks() async throws(VenueFailure) {
    let sent = time.now
    let body = try await publicBody("/0/public/Time")
    let received = time.now
    do throws(JSONError) {
      let seconds = try JSONDocument(parsing: body).root.member("result").int64("unixtime")
      guard seconds > 0, seconds < 9_000_000_000 else { throw .unexpected("\(seconds) s") }
      let venue = Instant(milliseconds: seconds * 1_000 + 500)
      clock.withLock {
        $0.sample(sent: sent, received: received, venue: venue, grain: .milliseconds(500))
      }
    } catch {
      throw .unknown("the venue's time: \(error)")
    }
  }

  // MARK: Private

  /// The result of a private call. A nonce that the venue refuses means that nothing was done:
  /// another user of the key was ahead, so the call is made once more with a nonce that is.
  func call(
    _ call: KrakenCall, _ parameters: [(String, String)] = []
  ) async throws(VenueFailure) -> JSONValue {
    try await admit(call)
    do throws(VenueFailure) {
      return try await inLane(call, parameters)
    } catch {
      guard error.isInvalidNonce else { throw error }
      nonces.withLock { $0.skip(to: UInt64(max(0, time.now.nanoseconds / 1_000)) + 1_000_000) }
      return try await inLane(call, parameters)
    }
  }

  private func inLane(
    _ call: KrakenCall, _ parameters: [(String, String)]
  ) async throws(VenueFailure) -> JSONValue {
    guard await lane.enter(isCancel: call.purpose == .cancel) else {
      throw .definite(.overloaded, text: "\(lane.waitingMax) requests are waiting")
    }
    defer { lane.leave() }
    let nonce = try nonce()
    var pairs = [("nonce", String(nonce))]
    pairs += parameters
    let body = Array(
      pairs.map { "\($0.0)=\(percentEncoded($0.1))" }.joined(separator: "&").utf8)
    var request = HTTPClientRequest(
      method: "POST", url: settings.restURL + call.path, timeout: settings.requestTimeout)
    request.body = body
    request.headers = [
      Self.userAgent, HTTPHeader("content-type", "application/x-www-form-urlencoded"),
      HTTPHeader("api-key", settings.apiKey),
      HTTPHeader(
        "api-sign",
        signature.sign(path: call.path, nonce: nonce, body: body)),
    ]
    return try result(try await exchange(request, call.purpose))
  }

  /// The watermark is on the disk before the first nonce under it is used.
  private func nonce() throws(VenueFailure) -> UInt64 {
    while true {
      switch nonces.withLock({ $0.take(at: time.now) }) {
      case .nonce(let nonce): return nonce
      case .save(let watermark):
        do throws(NonceStoreError) {
          try store?.save(watermark)
        } catch {
          throw .definite(.venueUnavailable, text: "no nonce: \(error)")
        }
        nonces.withLock { $0.saved(watermark) }
      }
    }
  }

  private static let userAgent = HTTPHeader("user-agent", "shrivenquant")

  private func exchange(
    _ request: HTTPClientRequest, _ purpose: RequestPurpose
  ) async throws(VenueFailure) -> HTTPClientResponse {
    try await http.send(request, purpose) { response in
      do throws(VenueFailure) {
        _ = try Self.read(response)
        return .good
      } catch {
        return AnswerVerdict(error)
      }
    }
  }

  /// A success's `result`; else what Kraken's texts or the status say, with what follows from it.
  private func result(_ response: HTTPClientResponse) throws(VenueFailure) -> JSONValue {
    do throws(VenueFailure) {
      return try Self.read(response)
    } catch {
      if case .definite(.rateLimit, let text) = error { block(text) }
      throw error
    }
  }

  private static func read(_ response: HTTPClientResponse) throws(VenueFailure) -> JSONValue {
    let root: JSONValue
    do throws(JSONError) {
      root = try JSONDocument(parsing: response.body).root
    } catch {
      if response.status == 200 { throw .unknown("the answer cannot be read: \(error)") }
      throw KrakenErrors.failure(status: response.status, errors: [])
    }
    let errors = root["error"]?.array?.compactMap(\.string) ?? []
    if response.status == 200, !errors.contains(where: { $0.hasPrefix("E") }) {
      guard let result = root["result"] else { throw .unknown("an answer without a result") }
      return result
    }
    throw KrakenErrors.failure(status: response.status, errors: errors)
  }

  /// The venue's counter of calls is full, or it has locked us out: a while without any.
  private func block(_ text: String) {
    counters.limited.increment()
    guard !text.hasPrefix("EOrder") else { return }
    let now = time.now
    limits.withLock { limits in
      if text.hasPrefix(KrakenErrors.lockout) {
        limits.lock(for: Self.blockTime, at: now)
      } else {
        limits.block(for: Self.blockTime, at: now)
      }
    }
  }

  private static let blockTime = Duration.seconds(5)

  /// Takes a call's cost from the budget, waiting for room at most as long as a request may take.
  /// Orders cost nothing here, and are refused at once while we are locked out.
  private func admit(_ call: KrakenCall) async throws(VenueFailure) {
    guard call.cost > 0 else {
      guard let wait = limits.withLock({ $0.lockout(at: time.now) }) else { return }
      counters.limited.increment()
      throw .definite(.rateLimit, text: "held back for \(wait): the venue has locked us out")
    }
    let deadline = loop.uptime + settings.requestTimeout
    while true {
      let now = time.now
      let answer = limits.withLock { $0.takeCall(call.cost, at: now) }
      guard case .wait(let wait, let limit) = answer else { return }
      counters.limited.increment()
      guard loop.uptime + wait <= deadline else {
        throw .definite(.rateLimit, text: "held back for \(wait) by the limit \(limit)")
      }
      await loop.sleep(for: wait)
      guard !Task.isCancelled else { throw .givenUp(limit) }
    }
  }
}

extension KrakenREST: PublicREST, VenueClock {
  var isOnProbation: Bool { http.isHalfOpen }

  func heard(_ reading: ClockReading) { clock.withLock { $0.sample(reading) } }

  func get(_ target: String, weight: Int) async throws(VenueError) -> [UInt8] {
    do throws(VenueFailure) {
      return try await publicBody(target)
    } catch {
      throw error.asVenueError
    }
  }
}

extension KrakenREST: PrivateDoor {
  func openTicket() async throws(VenueFailure) -> String {
    guard let token = try await call(.token)["token"]?.string else {
      throw .unknown("no token in the answer")
    }
    return token
  }

  /// A token lives as long as its connection.
  func extendTicket(_ ticket: String) async throws(VenueFailure) {}
}
