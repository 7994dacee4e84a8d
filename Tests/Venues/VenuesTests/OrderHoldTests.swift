import Chrono
import Loop
import Synchronization
import Telemetry
import TestKit
import Testing
import Transport
import Venue

@testable import Venues

@Suite struct `The door before the venues` {
  private func withVenue(
    _ body:
      @escaping @Sendable (BinanceREST, OrderHold, EventLoop, Asked) async throws -> Void
  ) async throws {
    try await withLoop { loop in
      let asked = Asked()
      let venue = try await ScriptedVenue(
        loop,
        answer: { request in
          await asked.take(request.method)
          return HTTPResponse(status: 200, json: Array("{}".utf8))
        }, talk: { _, _ in })
      let settings = venue.settings
      let rest = BinanceREST(
        .spot, settings,
        http: VenueHTTP(
          settings, loop: loop, log: .silent,
          counters: VenueCounters(MetricsRegistry(), venue: "binance")), loop: loop,
        time: SimulatedTime())
      try await body(rest, settings.hold, loop, asked)
      await venue.stop()
    }
  }

  /// What came, and whether orders are answered.
  final class Asked: Sendable {
    private let state = Mutex((methods: [String](), isSlow: false))
    var methods: [String] { state.withLock { $0.methods } }
    var isSlow: Bool {
      get { state.withLock { $0.isSlow } }
      set { state.withLock { $0.isSlow = newValue } }
    }

    func take(_ method: String) async {
      state.withLock { $0.methods.append(method) }
      while isSlow, method == "POST" { await Task.yield() }
    }
  }

  private static func failure(_ rest: BinanceREST, _ method: String) async -> VenueFailure? {
    do throws(VenueFailure) {
      _ = try await rest.body(method, "/api/v3/order", [("symbol", "BTCUSDT")], .signed)
      return nil
    } catch {
      return error
    }
  }

  /// Of so many orders at once.
  private static func failures(_ rest: BinanceREST, count: Int) async -> [VenueFailure?] {
    await withTaskGroup(of: VenueFailure?.self) { group in
      for _ in 0..<count { group.addTask { await failure(rest, "POST") } }
      var all: [VenueFailure?] = []
      for await failure in group { all.append(failure) }
      return all
    }
  }

  @Test func `KS-01 while it is closed no order leaves, and cancels and questions do`() async throws
  {
    try await withVenue { rest, hold, loop, asked in
      hold.close(until: loop.uptime + .seconds(60))
      let refused = await Self.failure(rest, "POST")
      #expect(refused == .definite(.killSwitch, text: OrderHold.reason))
      for method in ["DELETE", "GET"] {
        let failure = await Self.failure(rest, method)
        #expect(failure == nil)
      }
      #expect(asked.methods == ["DELETE", "GET"])

      hold.open()
      let passed = await Self.failure(rest, "POST")
      #expect(passed == nil)
    }
  }

  @Test func `KS-01 orders that wait for a connection when it closes are refused, not sent`()
    async throws
  {
    try await withVenue { rest, hold, loop, asked in
      asked.isSlow = true
      async let orders = Self.failures(rest, count: 40)
      #expect(
        await eventually { asked.methods.count == VenueHTTP.connectionsMax },
        "the connections that there are")
      hold.close(until: loop.uptime + .seconds(60))
      asked.isSlow = false
      let all = await orders
      #expect(asked.methods.count == VenueHTTP.connectionsMax)
      #expect(all.count { $0 == nil } == VenueHTTP.connectionsMax)
      #expect(
        all.count { $0 == .definite(.killSwitch, text: OrderHold.reason) } == 40
          - VenueHTTP.connectionsMax)
    }
  }

  @Test func `KS-01 a hold that nobody says again ends by itself`() {
    let hold = OrderHold()
    let now = Uptime(nanoseconds: 5_000_000_000)
    hold.close(until: now + .seconds(2))
    #expect(hold.isClosed(at: now) && hold.isClosed(at: now + .milliseconds(1_999)))
    #expect(!hold.isClosed(at: now + .seconds(2)))
    let marked = OrderHold { true }
    #expect(marked.isClosed(at: now), "a mark on the machine closes it as well")
  }
}
