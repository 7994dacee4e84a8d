import Chrono
import Loop
import Security
import SimulatorKit
import Synchronization
import Telemetry
import TestKit
import Transport
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// A simulator on a loopback port with TLS, a venue's adapter connected to it, and all it has said.
final class ConnectedVenue: Sendable {
  let server: VenueSimulatorServer
  let session: any VenueSession
  let venue: KnownVenue
  let dialect: VenueDialect
  let port: Int
  let market = Heard<MarketEvent>()
  let account = Heard<PrivateEvent>()
  let metrics = MetricsRegistry()
  private let settings: VenueSettings
  private let loop: EventLoop

  static let bitcoin = InstrumentID(0)

  /// The adapters that the simulator has a dialect for.
  static let simulated = KnownVenue.allCases.filter(\.isSimulated)

  /// `symbols` are ours; nil: bitcoin and ether, and one that nobody lists.
  init(
    _ loop: EventLoop, _ venue: KnownVenue = .binance, replays: [ReplaySettings] = [],
    stateDirectory: String? = nil, timeout: Duration = .seconds(5),
    venueTime: any TimeSource = SystemTime(), time: any TimeSource = SystemTime(),
    receiveWindow: Duration = .seconds(5),
    symbols: [String]? = nil, behindMax: Int? = nil,
    exchange: (inout ExchangeSettings) -> Void = { _ in },
    settings adjust: (inout VenueSettings) -> Void = { _ in }
  ) async throws {
    let mesh = TestMesh.shared
    let profile = try SimulatedProfile(venue)
    var exchangeSettings = profile.exchange
    exchange(&exchangeSettings)
    var configuration = VenueSimulatorConfiguration(
      address: .tcp(host: "127.0.0.1", port: 0),
      tls: try .server(mesh.credentials("venue-sim"), clients: .notAsked, alpn: .http11),
      exchange: exchangeSettings)
    configuration.replays = replays
    if let behindMax { configuration.behindMax = behindMax }
    configuration.stateDirectory = stateDirectory
    server = try VenueSimulatorServer(configuration, time: venueTime, loop: loop, log: .silent)
    guard case .tcp(_, let port) = try await server.start() else {
      throw TransportError("no port")
    }
    self.port = port
    self.venue = venue
    dialect = exchangeSettings.dialect
    var settings = VenueSettings(
      restURL: "https://127.0.0.1:\(port)", streamHost: "127.0.0.1", streamPort: port,
      trust: .authorities(mesh.authority.certificate), apiKey: profile.apiKey,
      secret: profile.secret, symbols: symbols ?? profile.symbols(isReplay: !replays.isEmpty))
    settings.passphrase = profile.passphrase
    settings.requestTimeout = timeout
    settings.receiveWindow = receiveWindow
    settings.reconnectMin = .milliseconds(20)
    adjust(&settings)
    self.settings = settings
    session = try venue.session(
      settings, loop: loop, time: time, log: .silent, metrics: metrics)
    self.loop = loop
  }

  func start() async throws -> [Instrument] {
    let instruments = try await session.loadInstruments()
    await session.start(
      market: { [market] in market.hear($0) }, account: { [account] in account.hear($0) })
    return instruments
  }

  /// One more session at the same exchange, not started.
  func another(
    time: any TimeSource = SystemTime(), settings adjust: (inout VenueSettings) -> Void = { _ in }
  ) throws -> any VenueSession {
    var settings = settings
    adjust(&settings)
    return try venue.session(
      settings, loop: loop, time: time, log: .silent, metrics: MetricsRegistry())
  }

  func stop() async {
    await session.stop()
    await server.stop()
  }

  func fault(_ fault: VenueFault) async throws {
    try await server.administration.inject(fault, at: dialect)
  }

  /// The market's book as the exchange itself has it.
  func exchangeBook(_ symbol: String, levelsMax: Int = 1_000) async throws -> ExchangeBook {
    try await server.administration.book(of: symbol, at: dialect, levelsMax: levelsMax)
  }

  /// The account as the exchange itself knows it.
  func exchangeAccount() async throws -> ExchangeAccount {
    try await server.administration.account(SimulatedProfile(venue).apiKey, at: dialect)
  }

  func startReplays() async throws { await server.administration.startReplays() }

  func depthRequests() async -> Int { await server.requestCounts()["GET /api/v3/depth"] ?? 0 }

  /// Reports heard for an order.
  func reports(_ clientOrderID: String) -> [VenueReport] {
    account.all.compactMap { event in
      guard case .report(let report) = event, report.clientOrderID == clientOrderID else {
        return nil
      }
      return report
    }
  }
}

/// Everything that was heard, in order.
final class Heard<Event: Sendable>: Sendable {
  private let events = Mutex<[Event]>([])

  var all: [Event] { events.withLock { $0 } }
  var count: Int { events.withLock { $0.count } }
  /// What came after so many.
  func since(_ count: Int) -> ArraySlice<Event> { events.withLock { $0[count...] } }
  func hear(_ event: Event) { events.withLock { $0.append(event) } }
}

/// An order for bitcoin, of so many lots of 0.00001.
func order(
  _ name: String, _ side: Side, _ lots: Int64, at price: Int64? = nil,
  timeInForce: TimeInForce = .gtc
) -> VenueOrder {
  VenueOrder(
    instrument: ConnectedVenue.bitcoin, clientOrderID: name, side: side,
    type: price == nil ? .market : .limit, timeInForce: timeInForce, price: price.map { Price($0) },
    quantity: Quantity(lots * 1_000))
}

/// True as soon as the condition holds; a busy machine is given half a minute.
func soon(_ condition: () async -> Bool) async -> Bool {
  await eventually(within: .seconds(30), condition)
}
