import Calls
import Chrono
import Contracts
import Loop
import ServiceKit
import TestKit
import Transport
import Units
import Venue
import Venues

@testable import MarketConnectorService

/// A market-connector's handlers over scripted sessions.
struct ConnectorDesk: Sendable {
  let world: ServiceWorld
  let context: ServiceContext
  let links: [VenueLink]
  let sessions: [ScriptedSession]
  let market: MarketV1.MarketServiceClient
  let orders: MarketV1.VenueOrderServiceClient
  let ticks: TickOutlet

  static func open(
    _ world: ServiceWorld, _ venues: [KnownVenue], _ settings: [String],
    away: Set<KnownVenue> = [], failed: [FailedVenue] = []
  ) async throws -> ConnectorDesk {
    let flags = try (settings + ["mesh.database_url=postgresql://127.0.0.1:1/none"])
      .map { try SettingsSources.Flag(parsing: $0) }
    let loaded = try LoadedSettings<Config>(
      MarketConnector.name, from: SettingsSources(flags: flags), sections: [])
    let context = ServiceContext(
      name: MarketConnector.name, mesh: loaded.mesh, loop: world.loop, time: world.time,
      state: world.state,
      connect: { LateChannel(world: world, name: $0, caller: "market-connector") })
    let notices = NoticeBoard(loaded.config)
    let sessions = venues.map { ScriptedSession($0, context.metrics) }
    try makeFolder(world.state.run)
    let ticks = TickOutlet(loaded.config, folder: world.state.run, context.metrics)
    let links = zip(venues, sessions).map {
      VenueLink($0, $1, loaded.config, context, notices, ticks)
    }
    for link in links {
      if !away.contains(link.known) { try await link.load() }
      world.loop.spawn { await link.deliver() }
    }
    let methods =
      Handlers(
        links: links, failed: failed, config: loaded.config, notices: notices, time: world.time
      ).methods
      + OrderHandlers(
        links: links, failed: failed, config: loaded.config, hold: OrderHold(), service: context
      ).methods
    world.serve(MarketConnector.name, methods)
    let channel = InProcessChannel(
      methods: methods, identity: Identity(service: "tester"), loop: world.loop)
    return ConnectorDesk(
      world: world, context: context, links: links, sessions: sessions,
      market: .init(channel: channel), orders: .init(channel: channel), ticks: ticks)
  }

  func close() async {
    ticks.close()
    for link in links {
      await link.close()
      await link.market.close(RPCError(.unavailable, "the test is over"))
      link.notices.close()
    }
    await context.stopTasks()
  }

  // MARK: What the venue says

  func say(_ event: MarketEvent, at venue: Int = 0) async { await links[venue].take(event) }

  func snapshot(_ updateID: UInt64, bid: Int64 = 99_99, ask: Int64 = 100_00) -> MarketEvent {
    .snapshot(
      BookSnapshot(
        instrument: InstrumentID(0), updateID: updateID, exchangeTime: sent,
        receivedTime: world.time.now, bids: [Self.level(bid)], asks: [Self.level(ask)]))
  }

  func delta(_ updateID: UInt64, bids: [(Int64, Int64)]) -> MarketEvent {
    .delta(
      BookDelta(
        instrument: InstrumentID(0), firstUpdateID: updateID, lastUpdateID: updateID,
        exchangeTime: sent, receivedTime: world.time.now,
        bids: bids.map { Self.level($0.0, $0.1) }, asks: []))
  }

  func trade(_ id: UInt64, at price: Int64) -> MarketEvent {
    .trade(
      Trade(
        instrument: InstrumentID(0), tradeID: id, price: Price(price), quantity: Quantity(1),
        aggressor: .buy, exchangeTime: sent, receivedTime: world.time.now))
  }

  func status(_ isTrading: Bool, _ text: String) -> MarketEvent {
    .status(
      TradingStatus(
        instrument: InstrumentID(0), isTrading: isTrading, text: text,
        receivedTime: world.time.now))
  }

  /// Three milliseconds on the way.
  private var sent: Instant { world.time.now + .milliseconds(-3) }

  static func level(_ price: Int64, _ quantity: Int64 = 1) -> PriceLevel {
    PriceLevel(price: Price(price), quantity: Quantity(quantity))
  }

  // MARK: What is asked

  func place(_ id: String, at venue: String = "binance") async throws -> MarketV1.VenueRejection? {
    var order = MarketV1.VenueOrder()
    order.venue = venue
    order.symbol = "BTCUSDT"
    order.clientOrderId = id
    order.side = .buy
    order.type = .limit
    order.timeInForce = .gtc
    order.price = wire("100")
    order.quantity = wire("1")
    var request = MarketV1.PlaceOrderRequest()
    request.order = order
    if case .rejected(let rejection) = try await orders.placeOrder(request).outcome {
      return rejection
    }
    return nil
  }

  /// Waits until an order is refused for this reason; nil: until one reaches the venue.
  func comesTo(_ reason: TypeV1.RejectReason?) async -> Bool {
    await eventually {
      do { return try await place("again")?.reason == reason } catch { return false }
    }
  }

  /// The next notices on these topics.
  func notices(
    _ topics: [String], _ count: Int, after body: @escaping @Sendable () async -> Void
  ) async throws -> [MarketV1.MarketNotice] {
    var request = MarketV1.StreamNoticesRequest()
    request.topics = topics
    let stream = try await market.streamNotices(request)
    defer { stream.cancel() }
    let listeners = links[0].notices
    _ = await eventually { listeners.listeners > 0 }
    await body()
    var found: [MarketV1.MarketNotice] = []
    while found.count < count, let notice = try await stream.next() { found.append(notice) }
    return found
  }
}

func withConnector(
  _ venues: [KnownVenue] = [.binance], _ settings: [String] = [], away: Set<KnownVenue> = [],
  failed: [FailedVenue] = [],
  _ body: @escaping @Sendable (ConnectorDesk) async throws -> Void
) async throws {
  try await withLoop { loop in
    let desk = try await ConnectorDesk.open(
      try ServiceWorld(loop), venues, settings, away: away, failed: failed)
    do { try await body(desk) } catch {
      await desk.close()
      throw error
    }
    await desk.close()
  }
}
