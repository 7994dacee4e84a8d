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
    _ loop: EventLoop, nonces: (any NonceStore)? = nil, timeout: Duration = .seconds(5),
    skew: Duration = .zero, adjust: (inout VenueSettings) -> Void = { _ in }
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
    settings.nonces = nonces
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
  private func status(_ outcome: VenueOutcome?) -> VenueOrderStatus? {
    if case .acknowledged(let report) = outcome { report.status } else { nil }
  }

  private func reason(_ outcome: VenueOutcome) -> RejectReason? {
    if case .rejected(let reason, _) = outcome { reason } else { nil }
  }

  private func isUnknown(_ outcome: VenueOutcome) -> Bool {
    if case .unknown = outcome { true } else { false }
  }

  @Test func `TST-01 an order rests, is queried, amended, replaced and cancelled`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedKraken(loop)
      try await venue.start()
      let orders = venue.session.orders
      let bitcoin = ConnectedKraken.bitcoin

      let placed = await orders.place(ConnectedKraken.order("0000000000001-1"))
      let queried = await orders.query("0000000000001-1", of: bitcoin)
      let amended = await orders.amend(
        VenueAmendment(
          clientOrderID: "0000000000001-1", instrument: bitcoin, price: Price(510_000),
          quantity: Quantity(200_000)))
      let open = try await orders.openOrders(of: bitcoin)
      let kept = venue.kraken.state.withLock { $0.orders[0] }
      let replaced = await orders.replace(
        "0000000000001-1", with: ConnectedKraken.order("0000000000001-2", at: 520_000, .postOnly))
      let cancelled = await orders.cancel("0000000000001-2", of: bitcoin)
      let again = await orders.cancel("0000000000001-2", of: bitcoin)

      #expect(status(placed) == .new && status(queried) == .new && status(amended) == .new)
      #expect(open.map(\.clientOrderID) == ["0000000000001-1"])
      #expect(open[0].price == Price(510_000) && open[0].quantity == Quantity(200_000))
      #expect(
        kept.price == "51000.0" && kept.volume == "0.00200000" && kept.id == open[0].venueOrderID)
      #expect(status(replaced.cancel) == .cancelled && status(replaced.place) == .new)
      #expect(status(cancelled) == .cancelled && reason(again) == .unknownOrder)
      #expect(venue.kraken.state.withLock { $0.orders[1].fields["oflags"] } == "fciq,post")
      #expect(await soon { venue.reports("0000000000001-2").last?.status == .cancelled })
      #expect(venue.reports("0000000000001-1").map(\.status) == [.new, .new, .cancelled])
      await venue.stop()
    }
  }

  @Test func `TST-01 a marketable order fills, and stream, history and balances agree`()
    async throws
  {
    try await withLoop { loop in
      let venue = try await ConnectedKraken(loop)
      try await venue.start()
      let orders = venue.session.orders
      _ = await orders.place(ConnectedKraken.order("m-1", at: nil))
      #expect(await soon { venue.reports("m-1").contains { $0.fill != nil } })
      let report = try #require(venue.reports("m-1").last { $0.fill != nil })
      let fill = try #require(report.fill)
      let history = try await orders.fills(of: ConnectedKraken.bitcoin, from: nil)
      let later = try await orders.fills(of: ConnectedKraken.bitcoin, from: fill.executionID)
      let ofOrder = try await orders.fills(
        ofOrder: report.venueOrderID, ConnectedKraken.bitcoin)
      let balances = try await orders.balances()
      let queried = await orders.query("m-1", of: ConnectedKraken.bitcoin)

      #expect(report.status == .filled && report.filledQuantity == Quantity(100_000))
      #expect(fill.price == Price(600_000) && fill.feeAsset == "USD" && !fill.isMaker)
      #expect(history.map(\.fill.executionID) == [fill.executionID])
      #expect(history == later && history == ofOrder)
      #expect(history.first?.fill.fee == fill.fee && history.first?.fill.price == fill.price)
      #expect(balances.map(\.asset) == ["USD", "BTC"])
      #expect(balances.first?.free == Decimal(units: 750, scale: 0))
      #expect(status(queried) == .filled)
      #expect(await soon { venue.account.all.contains(.balances(balances)) })
      await venue.stop()
    }
  }

  @Test func `TST-01 cancel-all leaves no order of the pair`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedKraken(loop)
      try await venue.start()
      for number in 1...5 {
        _ = await venue.session.orders.place(ConnectedKraken.order("a-\(number)"))
      }
      let cancelled = try await venue.session.orders.cancelAll(of: ConnectedKraken.bitcoin)
      #expect(cancelled.map(\.clientOrderID).sorted() == (1...5).map { "a-\($0)" })
      #expect(cancelled.allSatisfy { $0.status == .cancelled })
      let open = try await venue.session.orders.openOrders(of: ConnectedKraken.bitcoin)
      #expect(open.isEmpty)
      #expect(
        venue.kraken.state.withLock { $0.orders.map(\.status) }.allSatisfy { $0 == "canceled" })
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

  @Test func `TST-01 nonces arrive in order however many requests are made at once`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedKraken(loop)
      try await venue.start()
      let placed = await withTaskGroup(of: VenueOutcome.self) { group in
        for number in 1...30 {
          group.addTask { await venue.session.orders.place(ConnectedKraken.order("n-\(number)")) }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(placed.allSatisfy { status($0) == .new })
      #expect(venue.kraken.state.withLock { $0.orders.count } == 30)
      await venue.stop()
    }
  }

  @Test func `a nonce that another user of the key has passed is made up for`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedKraken(loop)
      try await venue.start()
      venue.kraken.fail("AddOrder", .errors(["EAPI:Invalid nonce"]))
      let placed = await venue.session.orders.place(ConnectedKraken.order("n-1"))
      #expect(status(placed) == .new)
      #expect(venue.kraken.state.withLock { $0.orders.count } == 1)
      await venue.stop()
    }
  }

  @Test(arguments: [-2, 2])
  func `CLK-04 a venue whose clock is two seconds off still takes our orders`(_ skew: Int)
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
      let deadline = try #require(
        venue.kraken.state.withLock { $0.orders[0].fields["deadline"] })
      #expect(try #require(Instant(rfc3339: deadline)) > SystemTime().now + .seconds(skew - 2))
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
      #expect(venue.kraken.state.withLock { $0.tokens } == 3)
      await venue.stop()
    }
  }

  @Test func `TST-01 after a restart nonces begin above all that were used`() async throws {
    let folder = try TemporaryFolder()
    let file = NonceFile(path: folder.path + "/nonces")
    let last = try await withLoop { loop in
      let venue = try await ConnectedKraken(loop, nonces: file)
      try await venue.start()
      _ = await venue.session.orders.place(ConnectedKraken.order("w-1"))
      await venue.stop()
      return venue.kraken.state.withLock { $0.nonces.last ?? 0 }
    }
    let watermark = try #require(try file.load())
    #expect(watermark > last)
    let first = try await withLoop { loop in
      let venue = try await ConnectedKraken(loop, nonces: file)
      try await venue.start()
      await venue.stop()
      return venue.kraken.state.withLock { $0.nonces.first ?? 0 }
    }
    #expect(first >= watermark)
  }

  @Test func `a secret that is not Base64 is refused by name`() async throws {
    try await withLoop { loop -> Void in
      await #expect(throws: VenueError.self) {
        _ = try await ConnectedKraken(loop) { $0.secret = Array("not base64!".utf8) }
      }
    }
  }
}
