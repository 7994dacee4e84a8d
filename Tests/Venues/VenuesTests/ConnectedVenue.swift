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

/// A simulator on a loopback port with TLS, the Binance adapter connected to it, and all it has
/// said.
final class ConnectedVenue: Sendable {
  let server: VenueSimulatorServer
  let session: any VenueSession
  let port: Int
  let market = Heard<MarketEvent>()
  let account = Heard<PrivateEvent>()
  private let loop: EventLoop

  static let bitcoin = InstrumentID(0)

  init(
    _ loop: EventLoop, replays: [ReplaySettings] = [], stateDirectory: String? = nil,
    timeout: Duration = .seconds(5), venueTime: any TimeSource = SystemTime(),
    receiveWindow: Duration = .seconds(5)
  ) async throws {
    let mesh = TestMesh.shared
    let trust = Trust.authorities(mesh.authority.certificate)
    var configuration = VenueSimulatorConfiguration(
      address: .tcp(host: "127.0.0.1", port: 0),
      tls: try .server(mesh.credentials("venue-sim"), clients: .notAsked, alpn: .http11),
      exchange: DialectClient.settings())
    configuration.replays = replays
    configuration.stateDirectory = stateDirectory
    server = try VenueSimulatorServer(configuration, time: venueTime, loop: loop, log: .silent)
    guard case .tcp(_, let port) = try await server.start() else {
      throw TransportError("no port")
    }
    self.port = port
    var settings = VenueSettings(
      restURL: "https://127.0.0.1:\(port)", streamHost: "127.0.0.1", streamPort: port,
      trust: trust, apiKey: DialectClient.key, secret: DialectClient.secret,
      symbols: replays.isEmpty ? ["BTCUSDT", "NOPE", "ETHUSDT"] : ["BTCUSDT"])
    settings.requestTimeout = timeout
    settings.receiveWindow = receiveWindow
    settings.reconnectMin = .milliseconds(20)
    session = try KnownVenue.binance.session(
      settings, loop: loop, time: SystemTime(), log: .silent, metrics: MetricsRegistry())
    self.loop = loop
  }

  func start() async throws -> [Instrument] {
    let instruments = try await session.loadInstruments()
    await session.start(
      market: { [market] in market.hear($0) }, account: { [account] in account.hear($0) })
    return instruments
  }

  func stop() async {
    await session.stop()
    await server.stop()
  }

  func fault(_ fault: VenueFault) async throws { try await server.administration.inject(fault) }

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
