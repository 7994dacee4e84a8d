import Bytes
import Chrono
import Loop
import Security
import Synchronization
import Telemetry
import TestKit
import Testing
import Transport
import Units
import Venue

@testable import Venues

/// The scripted Kraken with a session connected to it.
final class ConnectedKraken: Sendable {
  let kraken: ScriptedKraken
  let session: any VenueSession
  let market = Heard<MarketEvent>()
  let account = Heard<PrivateEvent>()
  private let server: Server
  static let bitcoin = InstrumentID(0)

  init(
    _ loop: EventLoop, timeout: Duration = .seconds(5), skew: Duration = .zero,
    adjust: (inout VenueSettings) -> Void = { _ in }
  ) async throws {
    let mesh = TestMesh.shared
    kraken = ScriptedKraken(snapshot: `Kraken's feed`.snapshot)
    kraken.state.withLock { $0.skew = skew }
    var configuration = ServerConfiguration(
      address: .tcp(host: "127.0.0.1", port: 0),
      tls: try .server(mesh.credentials("venue-sim"), clients: .notAsked, alpn: .http11),
      responder: kraken)
    configuration.plaintextPolicy = .everything
    server = Server(configuration, loop: loop)
    guard case .tcp(_, let port) = try await server.start() else { throw TransportError("no port") }
    var settings = VenueSettings(
      restURL: "https://127.0.0.1:\(port)", streamHost: "127.0.0.1", streamPort: port,
      trust: .authorities(mesh.authority.certificate), apiKey: ScriptedKraken.key,
      secret: Array(Base64.standard.encode(ScriptedKraken.secret).utf8),
      symbols: ["BTCUSD", "NOPE"])
    settings.requestTimeout = timeout
    settings.reconnectMin = .milliseconds(20)
    settings.depthMax = 10
    adjust(&settings)
    session = try KnownVenue.kraken.session(
      settings, loop: loop, time: SystemTime(), log: .silent, metrics: MetricsRegistry())
  }

  func start() async throws {
    let instruments = try await session.loadInstruments()
    #expect(instruments.map(\.symbol) == ["BTCUSD"])
    await session.start(
      market: { [market] in market.hear($0) }, account: { [account] in account.hear($0) })
    #expect(await soon { self.account.all.contains(.connected(attempt: 1)) })
  }

  func stop() async {
    await session.stop()
    await server.stop()
    #expect(kraken.state.withLock { $0.violations } == [])
    let nonces = kraken.state.withLock { $0.nonces }
    #expect(zip(nonces, nonces.dropFirst()).allSatisfy { $0 < $1 })
  }

  func reports(_ name: String) -> [VenueReport] {
    account.all.compactMap { event in
      guard case .report(let report) = event, report.clientOrderID == name else { return nil }
      return report
    }
  }

  static func order(
    _ name: String, _ quantity: Int64 = 100_000, at price: Int64? = 500_000,
    _ timeInForce: TimeInForce = .gtc
  ) -> VenueOrder {
    VenueOrder(
      instrument: bitcoin, clientOrderID: name, side: .buy,
      type: price == nil ? .market : .limit, timeInForce: timeInForce,
      price: price.map { Price($0) },
      quantity: Quantity(quantity))
  }
}

@Suite struct `Kraken's session` {
  @Test func `orders go out in Kraken's terms, with a deadline`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedKraken(loop)
      try await venue.start()
      let before = SystemTime().now
      for (number, force) in [TimeInForce.postOnly, .ioc, .gtc].enumerated() {
        let order = ConnectedKraken.order("t-\(number)", at: 520_000, force)
        #expect(status(await venue.session.orders.place(order)) == .new)
      }
      _ = await venue.session.orders.place(ConnectedKraken.order("t-3", at: nil))

      let fields = venue.kraken.state.withLock { $0.orders.map(\.fields) }
      #expect(fields.map { $0["oflags"] } == ["fciq,post", "fciq", "fciq", "fciq"])
      #expect(fields.map { $0["timeinforce"] } == ["GTC", "IOC", "GTC", nil])
      #expect(fields.map { $0["ordertype"] } == ["limit", "limit", "limit", "market"])
      #expect(fields[0]["price"] == "52000.0" && fields[3]["price"] == nil)
      #expect(fields[0]["volume"] == "0.00100000" && fields[0]["pair"] == "XBTUSD")
      let deadline = try #require(fields[0]["deadline"].flatMap { Instant(rfc3339: $0) })
      #expect(deadline > before + .seconds(3) && deadline < SystemTime().now + .seconds(7))
      await venue.stop()
    }
  }

  @Test func `TST-01 refusals carry a reason, and silence is unknown`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedKraken(loop)
      try await venue.start()
      let orders = venue.session.orders

      let poor = await orders.place(ConnectedKraken.order("r-1", 10_000_000_000))
      let long = await orders.place(ConnectedKraken.order("a-name-of-19-letter"))
      let fok = await orders.place(ConnectedKraken.order("r-2", at: 500_000, .fok))
      venue.kraken.fail("AddOrder", .errors(["EService:Unavailable"]))
      let away = await orders.place(ConnectedKraken.order("r-3"))
      venue.kraken.fail("AddOrder", .lostAnswer(504))
      let lost = await orders.place(ConnectedKraken.order("r-4"))
      let found = await orders.query("r-4", of: ConnectedKraken.bitcoin)
      let none = await orders.query("r-3", of: ConnectedKraken.bitcoin)
      venue.kraken.fail("AddOrder", .errors(["EOrder:Order minimum not met"]))
      let small = await orders.place(ConnectedKraken.order("r-5"))
      venue.kraken.fail("CancelOrder", .status(502))
      let cancel = await orders.cancel("r-4", of: ConnectedKraken.bitcoin)

      #expect(reason(poor) == .insufficientBalance)
      #expect(reason(long) == .invalidOrder && reason(fok) == .venuePolicy)
      #expect(isUnknown(away) && isUnknown(lost) && isUnknown(cancel))
      #expect(status(found) == .new && reason(none) == .unknownOrder)
      #expect(reason(small) == .minSize)
      #expect(venue.session.counters.unknownOutcomes.value == 3)
      await venue.stop()
    }
  }

  @Test(arguments: [-2, 2])
  func `CLK-04 the stream tells more finely than whole seconds how far the venue's clock is off`(
    _ skew: Int
  )
    async throws
  {
    try await withLoop { loop in
      let venue = try await ConnectedKraken(loop, skew: .seconds(skew)) {
        $0.receiveWindow = .seconds(2)
      }
      try await venue.start()
      let placed = await venue.session.orders.place(ConnectedKraken.order("c-1"))
      let offset = try #require(venue.session.clockOffset)
      #expect(status(placed) == .new)
      // Half a second of the venue's coarse answer, and the way; its stream tells it more finely.
      #expect(abs((offset - .seconds(skew)).wholeNanoseconds) < 1_500_000_000)
      let session = venue.session
      #expect(
        await eventually {
          session.vitals.clockUncertainty.map { $0 < .milliseconds(500) } ?? false
        })
      let vitals = session.vitals
      let fine = try #require(session.clockOffset)
      let most = try #require(vitals.clockUncertainty)
      // The script tells whole milliseconds.
      let off = abs((fine - .seconds(skew)).wholeNanoseconds)
      #expect(off <= (most + .milliseconds(1)).wholeNanoseconds)
      await venue.stop()
    }
  }

  @Test func `the private stream comes back after a loss, and after a gap in its numbers`()
    async throws
  {
    try await withLoop { loop in
      let venue = try await ConnectedKraken(loop)
      try await venue.start()
      _ = await venue.session.orders.place(ConnectedKraken.order("p-1"))
      #expect(await soon { venue.reports("p-1").count == 1 })
      for socket in venue.kraken.state.withLock({ $0.streams }) { socket.startClosing(.normal) }
      #expect(await soon { venue.account.all.contains(.connected(attempt: 2)) })
      // The open order is told again, and by name.
      #expect(await soon { venue.reports("p-1").count == 2 })

      venue.kraken.skipSequence()
      _ = await venue.session.orders.place(ConnectedKraken.order("p-2"))
      #expect(await soon { venue.account.all.contains(.connected(attempt: 3)) })
      _ = await venue.session.orders.cancel("p-1", of: ConnectedKraken.bitcoin)
      #expect(await soon { venue.reports("p-1").last?.status == .cancelled })
      #expect(venue.session.counters.privateReconnections.value == 2)
      #expect(venue.session.counters.privateGaps.value == 1)
      #expect(venue.kraken.state.withLock { $0.tokens } == 3)
      await venue.stop()
    }
  }

  @Test func `a secret that is not Base64 is refused by name`() async throws {
    try await withLoop { loop -> Void in
      await #expect(throws: VenueError.self) {
        _ = try await ConnectedKraken(loop) { $0.secret = Array("not base64!".utf8) }
      }
    }
  }
}
