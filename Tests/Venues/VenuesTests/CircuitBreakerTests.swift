import Chrono
import Loop
import Synchronization
import Telemetry
import TestKit
import Testing
import Transport
import Venue

@testable import Venues

@Suite struct `Circuit breaker` {
  private func at(_ milliseconds: Int64) -> Uptime {
    Uptime(nanoseconds: UInt64(1_000_000_000_000 + milliseconds * 1_000_000))
  }

  /// Opens after three in a row, cools down for ten seconds, closes after two.
  private func breaker(reached: Bool = true) -> CircuitBreaker {
    var limits = CircuitBreaker.Limits()
    limits.failuresMax = 3
    limits.requestsMin = 10
    limits.probes = 2
    var breaker = CircuitBreaker(limits)
    if reached { ask(&breaker, at: 0) }
    return breaker
  }

  /// One request from its beginning to its end; false when it was refused.
  @discardableResult
  private func ask(
    _ breaker: inout CircuitBreaker, fails: Bool = false, isEssential: Bool = false,
    at milliseconds: Int64
  ) -> Bool {
    guard
      case .admitted(let ticket) = breaker.admit(isEssential: isEssential, at: at(milliseconds))
    else { return false }
    _ = breaker.ended(
      ticket, fails ? .failed("no answer") : .answered, at: at(milliseconds))
    return true
  }

  @Test func `OBS-11 failures in a row open it, and only what is essential passes`() {
    var breaker = breaker()
    for time in 1...2 { ask(&breaker, fails: true, at: Int64(time)) }
    ask(&breaker, at: 3)
    for time in 4...5 { ask(&breaker, fails: true, at: Int64(time)) }
    #expect(breaker.state(at: at(6)) == .closed && breaker.consecutiveFailures == 2)

    ask(&breaker, fails: true, at: 6)
    #expect(breaker.state(at: at(6)) == .open(until: at(10_006)))
    #expect(breaker.reason == "3 failures in a row, the last: no answer")
    #expect(
      breaker.admit(isEssential: false, at: at(1_006))
        == .refused(wait: .seconds(9), reason: breaker.reason))
    #expect(ask(&breaker, isEssential: true, at: 1_006))
    #expect(breaker.state(at: at(10_005)) == .open(until: at(10_006)))
    #expect(breaker.openings == 1)
  }

  @Test func `after the cool-down probes are let through, and their success closes it`() {
    var breaker = breaker()
    for _ in 0..<3 { ask(&breaker, fails: true, at: 1) }
    let probes = (0..<3).map { _ in breaker.admit(isEssential: false, at: at(10_001)) }
    #expect(breaker.state(at: at(10_001)) == .halfOpen)
    guard case .admitted(let first) = probes[0], case .admitted(let second) = probes[1] else {
      Issue.record("\(probes)")
      return
    }
    #expect(probes[2] == .refused(wait: .zero, reason: breaker.reason))
    _ = breaker.ended(first, .answered, at: at(10_002))
    #expect(breaker.state(at: at(10_002)) == .halfOpen)
    _ = breaker.ended(second, .answered, at: at(10_003))
    #expect(breaker.state(at: at(10_003)) == .closed && breaker.consecutiveFailures == 0)
  }

  @Test func `a probe that fails opens it again, and answers from before say nothing`() {
    var breaker = breaker()
    guard case .admitted(let slow) = breaker.admit(isEssential: false, at: at(0)) else { return }
    for _ in 0..<3 { ask(&breaker, fails: true, at: 1) }
    ask(&breaker, fails: true, at: 10_001)
    #expect(breaker.state(at: at(10_001)) == .open(until: at(20_001)))
    #expect(breaker.openings == 2)
    for now in [at(10_002), at(20_001)] {
      _ = breaker.state(at: now)
      _ = breaker.ended(slow, .answered, at: now)
    }
    #expect(breaker.state(at: at(20_001)) == .halfOpen)
  }

  @Test func `a share of failures within the window opens it, an old one does not`() {
    var breaker = breaker()
    // Every second one fails: half is not more than half.
    for index in 0..<20 { ask(&breaker, fails: index % 2 == 0, at: 100) }
    #expect(breaker.state(at: at(100)) == .closed)
    // Two of three fail, never three in a row; ten are needed to tell a share.
    var other = self.breaker()
    for index in 0..<8 { ask(&other, fails: index % 3 != 0, at: 100) }
    #expect(other.state(at: at(100)) == .closed)
    // A minute later those count no more, so it takes ten again.
    for index in 0..<9 { ask(&other, fails: index % 3 != 0, at: 61_000) }
    #expect(other.state(at: at(61_000)) == .closed)
    ask(&other, at: 61_001)
    #expect(other.state(at: at(61_001)) == .closed)
    ask(&other, fails: true, at: 61_002)
    #expect(other.state(at: at(61_002)) == .open(until: at(71_002)))
    #expect(
      other.reason == "7 of 11 requests failed in 60.0 seconds, the last: no answer",
      "\(other.reason)")
  }

  @Test
  func `what says nothing of the venue counts neither way, and gives its place as a probe back`() {
    var breaker = breaker()
    for _ in 0..<2 { ask(&breaker, fails: true, at: 1) }
    for _ in 0..<10 {
      guard case .admitted(let ticket) = breaker.admit(isEssential: false, at: at(2)) else {
        return
      }
      let opened = breaker.ended(ticket, .unjudged, at: at(3))
      #expect(!opened)
    }
    #expect(breaker.consecutiveFailures == 2)
    ask(&breaker, fails: true, at: 4)
    for _ in 0..<10 {
      guard case .admitted(let ticket) = breaker.admit(isEssential: false, at: at(10_004)) else {
        Issue.record("a probe has kept its place")
        return
      }
      _ = breaker.ended(ticket, .unjudged, at: at(10_005))
    }
    #expect(breaker.state(at: at(10_005)) == .halfOpen)
  }

  @Test func `requests that were under way together fail as one, and as many in the window`() {
    var breaker = breaker()
    for row in Int64(1)...2 {
      let tickets = (0..<4).map { _ in
        breaker.admit(isEssential: false, at: at(row * 1_000))
      }
      for case .admitted(let ticket) in tickets {
        _ = breaker.ended(ticket, .failed("no answer"), at: at(row * 1_000 + 500))
      }
      #expect(breaker.consecutiveFailures == Int(row))
    }
    #expect(breaker.state(at: at(2_500)) == .closed)
    ask(&breaker, fails: true, at: 2_600)
    #expect(breaker.reason.hasPrefix("3 failures in a row"))
    var other = self.breaker()
    let tickets = (0..<9).map { _ in other.admit(isEssential: false, at: at(1)) }
    for case .admitted(let ticket) in tickets {
      _ = other.ended(ticket, .failed("no answer"), at: at(2))
    }
    #expect(other.reason.hasPrefix("9 of 10 requests failed"), "\(other.reason)")
  }

  @Test func `a venue that was never reached is not one that fails`() {
    var breaker = breaker(reached: false)
    for _ in 0..<50 { ask(&breaker, fails: true, at: 1) }
    #expect(breaker.state(at: at(1)) == .closed)
    ask(&breaker, at: 2)
    for _ in 0..<3 { ask(&breaker, fails: true, at: 3) }
    #expect(breaker.state(at: at(3)) == .open(until: at(10_003)))
  }

  // MARK: At a venue

  private enum Word { case fine, unavailable, limited }

  /// Binance's REST against a venue that says what the test wants.
  private func withVenue(
    coolDown: Duration = .seconds(60),
    _ body:
      @escaping @Sendable (BinanceREST, VenueCounters, @Sendable (Word) -> Void) async throws
      -> Void
  ) async throws {
    let said = Said()
    try await withLoop { loop in
      let venue = try await ScriptedVenue(
        loop,
        answer: { _ in
          switch said.word {
          case .fine: HTTPResponse(status: 200, json: Array("{}".utf8))
          case .unavailable: HTTPResponse(status: 503)
          case .limited: HTTPResponse(status: 429, headers: [HTTPHeader("Retry-After", "0")])
          }
        }, talk: { _, _ in })
      var settings = venue.settings
      settings.breaker.failuresMax = 2
      settings.breaker.probes = 1
      settings.breaker.coolDown = coolDown
      let counters = VenueCounters(MetricsRegistry(), venue: "binance")
      let rest = BinanceREST(
        .spot, settings,
        http: VenueHTTP(
          settings, loop: loop, log: .silent,
          counters: counters), loop: loop, time: SimulatedTime())
      try await body(rest, counters) { said.say($0) }
      await venue.stop()
    }
  }

  private final class Said: Sendable {
    private let state = Mutex(Word.fine)
    var word: Word { state.withLock { $0 } }
    func say(_ word: Word) { state.withLock { $0 = word } }
  }

  /// How a request ended: nil when the venue answered it well.
  private static func outcome(
    _ rest: BinanceREST, _ method: String, _ path: String = "/api/v3/order",
    _ access: BinanceREST.Access = .signed
  ) async -> VenueFailure? {
    do throws(VenueFailure) {
      _ = try await rest.body(method, path, [("symbol", "BTCUSDT")], access)
      return nil
    } catch {
      return error
    }
  }

  @Test func `OBS-11 orders are VENUE_UNAVAILABLE while it is open, and cancels pass`() async throws
  {
    try await withVenue { rest, counters, say in
      #expect(await Self.outcome(rest, "POST") == nil)
      say(.unavailable)
      for _ in 0..<2 { #expect(await Self.outcome(rest, "POST") == .unknown("status 503")) }
      #expect(counters.breakerOpenings.value == 1 && counters.failures.value == 2)
      say(.fine)
      let sent = counters.requests.value
      for (method, path, access) in [
        ("POST", "/api/v3/order", BinanceREST.Access.signed), ("GET", "/api/v3/depth", .open),
      ] {
        guard
          case .definite(.venueUnavailable, let text) = await Self.outcome(
            rest, method, path, access)
        else {
          Issue.record("\(method) passes")
          return
        }
        #expect(text.hasPrefix("the circuit breaker is open for another "))
        #expect(text.hasSuffix("2 failures in a row, the last: status 503"))
      }
      #expect(counters.requests.value == sent && counters.breakerRefusals.value == 2)
      // What lessens exposure or proves it is sent all the same.
      #expect(await Self.outcome(rest, "DELETE") == nil)
      #expect(await Self.outcome(rest, "GET") == nil)
      #expect(counters.requests.value == sent + 2)
      guard case .open = rest.vitals.breaker.state else {
        Issue.record("\(rest.vitals.breaker)")
        return
      }
      #expect(rest.vitals.breaker.wait > .zero)
    }
  }

  @Test func `what is held back and what passes is the same at every venue`() {
    let okx: [(String, String, Bool, RequestPurpose)] = [
      ("POST", "/api/v5/trade/order", true, .order),
      ("POST", "/api/v5/trade/amend-order", true, .order),
      ("POST", "/api/v5/trade/cancel-order", true, .cancel),
      ("POST", "/api/v5/trade/cancel-batch-orders", true, .cancel),
      ("GET", "/api/v5/trade/order?instId=BTC-USDT", true, .account),
      ("GET", "/api/v5/market/history-trades", false, .data),
    ]
    for (method, target, isSigned, purpose) in okx {
      #expect(OKXREST.purpose(method, target, isSigned: isSigned) == purpose, "\(target)")
    }
    #expect(KrakenCall.addOrder.purpose == .order && KrakenCall.amendOrder.purpose == .order)
    #expect(KrakenCall.cancelOrder.purpose == .cancel && KrakenCall.token.purpose == .account)
    for purpose in [RequestPurpose.cancel, .account] { #expect(purpose.isEssential) }
    for purpose in [RequestPurpose.order, .data] { #expect(!purpose.isEssential) }
  }

  @Test func `only an answer that says that the venue cannot is a failure`() {
    let failures: [(VenueFailure, AnswerVerdict)] = [
      (
        KrakenErrors.failure(status: 200, errors: ["EService:Unavailable"]),
        .failed("EService:Unavailable")
      ),
      (KrakenErrors.failure(status: 200, errors: ["EOrder:Insufficient funds"]), .good),
      (KrakenErrors.failure(status: 200, errors: ["EAPI:Rate limit exceeded"]), .limited),
      (OKXErrors.failure(status: 200, code: "50001", text: "down"), .failed("50001: down")),
      (OKXErrors.failure(status: 200, code: "51008", text: "no money"), .good),
      (OKXErrors.failure(status: 429, code: "50011", text: "slow down"), .limited),
      (BinanceErrors.failure(status: 503, body: []), .failed("status 503")),
      (BinanceErrors.failure(status: 400, body: Array(#"{"code":-2010,"msg":"no"}"#.utf8)), .good),
      (BinanceErrors.failure(status: 418, body: []), .limited),
    ]
    for (failure, verdict) in failures { #expect(AnswerVerdict(failure) == verdict) }
  }

  @Test func `a limit that was passed does not open it`() async throws {
    try await withVenue { rest, counters, say in
      #expect(await Self.outcome(rest, "POST") == nil)
      say(.limited)
      for _ in 0..<5 { _ = await Self.outcome(rest, "POST") }
      #expect(counters.throttled.value > 2 && counters.failures.value == 0)
      #expect(rest.vitals.breaker.state == .closed)
    }
  }

  @Test func `a venue that has come back closes it after the cool-down`() async throws {
    try await withVenue(coolDown: .milliseconds(1)) { rest, counters, say in
      #expect(await Self.outcome(rest, "POST") == nil)
      say(.unavailable)
      for _ in 0..<2 { _ = await Self.outcome(rest, "POST") }
      #expect(counters.breakerOpenings.value == 1)
      say(.fine)
      #expect(await eventually { await Self.outcome(rest, "POST") == nil })
      #expect(rest.vitals.breaker.state == .closed)
    }
  }
}
