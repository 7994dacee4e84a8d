import Chrono
import JSON
import Loop
import Synchronization
import Telemetry
import Transport
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// REST of a simulated exchange that keeps the text of every request, and may tell a wrong time or
/// list what it does not trade.
final class WireTap: Sendable {
  private struct State: ~Copyable {
    var venue: SimulatedVenue
    /// Answers for the listing.
    var listing: SimulatedVenue
    var requests: [HTTPRequest] = []
  }

  private final class Exchange: Sendable {
    let state: Mutex<State>
    let timeLie: Duration

    init(_ settings: ExchangeSettings, listing: ExchangeSettings, timeLie: Duration) {
      let now = SystemTime().now
      state = Mutex(
        State(
          venue: SimulatedVenue(exchange: SimulatedExchange(settings: settings, start: now)),
          listing: SimulatedVenue(exchange: SimulatedExchange(settings: listing, start: now))))
      self.timeLie = timeLie
    }

    func answer(_ request: HTTPRequest) -> HTTPResponse {
      let name = request.path.split(separator: "/").last ?? ""
      let lie = name.lowercased() == "time" ? timeLie : .zero
      let now = SystemTime().now + lie
      return state.withLock { state in
        if ["exchangeInfo", "AssetPairs", "instruments"].contains(name) {
          return state.listing.answer(request, now: now).response
        }
        state.requests.append(request)
        return state.venue.answer(request, now: now).response
      }
    }
  }

  let session: any VenueSession
  let venue: KnownVenue
  private let exchange: Exchange
  private let server: ScriptedVenue
  private let apiKey: String

  init(
    _ loop: EventLoop, _ venue: KnownVenue, timeLie: Duration = .zero,
    trades: Int? = nil,
    market: (inout SimulatedMarket) -> Void = { _ in }
  ) async throws {
    self.venue = venue
    let profile = try SimulatedProfile(venue)
    apiKey = profile.apiKey
    var settings = profile.exchange
    for index in settings.markets.indices {
      settings.markets[index].eventsPerSecond = 0
      market(&settings.markets[index])
    }
    let listing = settings
    if let trades { settings.markets = Array(settings.markets.prefix(trades)) }
    let exchange = Exchange(settings, listing: listing, timeLie: timeLie)
    self.exchange = exchange
    server = try await ScriptedVenue(
      loop, answer: { exchange.answer($0) }, talk: { _, _ in })
    var own = server.settings
    own.apiKey = profile.apiKey
    own.secret = profile.secret
    own.passphrase = profile.passphrase
    own.symbols = [profile.bitcoin, profile.ether]
    own.requestTimeout = .seconds(20)
    own.receiveWindow = .seconds(30)
    own.requestWeightMax = 1_000_000
    own.orderRateMax = 100_000
    session = try venue.session(
      own, loop: loop, time: SystemTime(), log: .silent, metrics: MetricsRegistry())
  }

  func stop() async { await server.stop() }

  var account: ExchangeAccount? { exchange.state.withLock { $0.venue.exchange.account(apiKey) } }

  /// The texts of price and quantity in the last new order that came.
  func lastTerms() throws -> (price: String?, quantity: String?) {
    let requests = exchange.state.withLock { $0.requests }
    switch venue {
    case .binance:
      let query = requests.last { $0.method == "POST" && $0.path == "/api/v3/order" }?.queryItems
      func value(_ name: String) -> String? { query?.first { $0.name == name }?.value }
      return (value("price"), value("quantity"))
    case .kraken:
      let fields = requests.last { $0.path == "/0/private/AddOrder" }.flatMap { KrakenFields($0) }
      return (fields?["price"], fields?["volume"])
    default:
      let body = requests.last { $0.path == "/api/v5/trade/order" && $0.method == "POST" }?.body
      let json = try JSONDocument(parsing: body ?? []).root
      return (json["px"]?.string, json["sz"]?.string)
    }
  }
}
