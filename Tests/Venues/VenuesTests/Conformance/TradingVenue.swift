import Chrono
import Loop
import SimulatorKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// A market that stands still at a simulated exchange with two accounts: ours, whose adapter a view
/// hears, and somebody else's, who trades with us.
final class TradingVenue: Sendable {
  let connected: ConnectedVenue
  let bitcoin: Instrument
  let view: AccountView
  /// The account before anything was done.
  let before: ExchangeAccount
  let other: any VenueSession
  /// Between the best bid and the best ask of the standing market.
  let middle: Price

  static let otherKey = "key-of-bob"

  var venue: KnownVenue { connected.venue }
  var orders: any VenueOrderEntry { connected.session.orders }
  var counters: VenueCounters { connected.session.counters }

  init(
    _ loop: EventLoop, _ venue: KnownVenue, timeout: Duration = .seconds(20),
    receiveWindow: Duration = .seconds(30), venueTime: any TimeSource = SystemTime(),
    market: (inout SimulatedMarket) -> Void = { _ in },
    settings adjust: (inout VenueSettings) -> Void = { _ in }
  ) async throws {
    connected = try await ConnectedVenue(
      loop, venue, timeout: timeout, venueTime: venueTime, receiveWindow: receiveWindow,
      exchange: { exchange in
        for index in exchange.markets.indices {
          exchange.markets[index].eventsPerSecond = 0
          market(&exchange.markets[index])
        }
        var second = exchange.accounts[0]
        second.apiKey = Self.otherKey
        exchange.accounts.append(second)
      },
      settings: { settings in
        // What is tried here is not how few requests we make.
        settings.requestWeightMax = 1_000_000
        settings.orderRateMax = 100_000
        adjust(&settings)
      })
    bitcoin = try #require(await Self.listed(connected.session).first)
    await connected.session.start(
      market: { [connected] in connected.market.hear($0) },
      account: { [connected] in connected.account.hear($0) })
    view = AccountView(connected.account, bitcoin)
    before = try await connected.exchangeAccount()
    let book = try await connected.exchangeBook(bitcoin.venueSymbol, levelsMax: 1)
    let tick = bitcoin.tickSize.raw
    middle = Price((book.bids[0].price.raw + book.asks[0].price.raw) / 2 / tick * tick)
    other = try connected.another { $0.apiKey = Self.otherKey }
    _ = await Self.listed(other)
    #expect(await soon { self.connected.account.all.contains(.connected(attempt: 1)) })
    #expect(await soon { (try? await self.view.reconcile(self.orders)) != nil })
  }

  /// A timeout that a test chose short does not count before the test begins.
  private static func listed(_ session: any VenueSession) async -> [Instrument] {
    var found: [Instrument] = []
    _ = await soon {
      found = (try? await session.loadInstruments()) ?? []
      return !found.isEmpty
    }
    return found
  }

  func stop() async { await connected.stop() }

  // MARK: Orders

  /// A client order id as the mesh makes them.
  static func name(_ number: Int) -> String { "06AJRZ8400000-\(number)" }

  /// Hundred-thousandths of a coin.
  func amount(_ count: Int64) -> Quantity {
    Quantity(count * powerOfTen(bitcoin.quantityScale - 5)!)
  }

  /// So many ticks above the middle of the market.
  func price(_ ticks: Int64) -> Price { Price(middle.raw + ticks * bitcoin.tickSize.raw) }

  /// At a price that nobody trades at, yet worth more than any least notional.
  var low: Price { Price(middle.raw / 2 / bitcoin.tickSize.raw * bitcoin.tickSize.raw) }

  func order(
    _ number: Int, _ side: Side, _ count: Int64, at price: Price? = nil,
    _ timeInForce: TimeInForce = .gtc
  ) -> VenueOrder {
    VenueOrder(
      instrument: bitcoin.id, clientOrderID: Self.name(number), side: side,
      type: price == nil ? .market : .limit, timeInForce: timeInForce, price: price,
      quantity: amount(count))
  }

  @discardableResult
  func place(_ order: VenueOrder) async -> VenueOutcome {
    view.placing(order)
    let outcome = await orders.place(order)
    view.take(outcome, of: order.clientOrderID)
    return outcome
  }

  @discardableResult
  func cancel(_ number: Int) async -> VenueOutcome {
    let outcome = await orders.cancel(Self.name(number), of: bitcoin.id)
    view.take(outcome, of: Self.name(number))
    return outcome
  }

  func query(_ number: Int) async -> VenueOutcome {
    let outcome = await orders.query(Self.name(number), of: bitcoin.id)
    view.take(outcome, of: Self.name(number))
    return outcome
  }

  /// The other one's order, which must be taken.
  func otherPlaces(_ order: VenueOrder) async {
    let outcome = await other.orders.place(order)
    guard case .acknowledged = outcome else {
      Issue.record("\(venue): the other's order was not taken: \(outcome)")
      return
    }
  }

  // MARK: Hearing

  func reports(_ number: Int) -> [VenueReport] { connected.reports(Self.name(number)) }

  /// How an order ended, by the answer or by the stream.
  func ending(_ number: Int, _ outcome: VenueOutcome) async -> (VenueOrderStatus?, RejectReason?) {
    if case .rejected(let reason, _) = outcome { return (.rejected, reason) }
    _ = await soon { self.reports(number).contains { $0.status.isTerminal } }
    let last = reports(number).last { $0.status.isTerminal }
    return (last?.status, last?.rejectReason)
  }

  /// The statuses that the stream told, each once in a row.
  func statuses(_ number: Int) -> [VenueOrderStatus] {
    reports(number).map(\.status).reduce(into: []) { told, status in
      if told.last != status { told.append(status) }
    }
  }

  /// The view is the exchange's own, to the last digit; reconciles until it is.
  func expectAgreement(_ comment: Comment? = nil, line: Int = #line) async throws {
    var found: [String] = ["never looked"]
    var looks = 0
    let agrees = await soon {
      // Asked again now and then only: venues count what they are asked.
      defer { looks += 1 }
      if looks % 50 == 0 {
        do throws(VenueError) {
          try await self.view.reconcile(self.orders)
        } catch {
          found = ["no answer: \(error)"]
          return false
        }
      }
      self.view.hear()
      guard let account = try? await self.connected.exchangeAccount() else { return false }
      found = self.view.differences(from: account, before: self.before)
      return found.isEmpty
    }
    #expect(agrees, "\(venue), line \(line): \(found)")
  }
}

func status(_ outcome: VenueOutcome?) -> VenueOrderStatus? {
  if case .acknowledged(let report) = outcome { report.status } else { nil }
}

func reason(_ outcome: VenueOutcome?) -> RejectReason? {
  if case .rejected(let reason, _) = outcome { reason } else { nil }
}

func isUnknown(_ outcome: VenueOutcome?) -> Bool {
  if case .unknown = outcome { true } else { false }
}
