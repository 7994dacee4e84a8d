internal import Calls
internal import Chrono
internal import Contracts
internal import EventBus
internal import Telemetry
internal import Translation
internal import Units
internal import Venue
internal import Venues
internal import Wire

struct Handlers: MarketV1.MarketServiceHandler {
  let links: [VenueLink]
  let config: Config
  let notices: NoticeBoard

  private func link(_ venue: String) throws(RPCError) -> VenueLink {
    guard let link = links.first(where: { $0.venue == venue }) else {
      throw RPCError(
        .notFound,
        "there is no venue \(venue.prefix(64)); known: \(links.map(\.venue).joined(separator: ", "))"
      )
    }
    return link
  }

  func listVenues(
    _ request: MarketV1.ListVenuesRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListVenuesResponse {
    var response = MarketV1.ListVenuesResponse()
    for link in links { response.venues.append(await venue(link)) }
    return response
  }

  func getVenue(
    _ request: MarketV1.GetVenueRequest, _ context: ServerContext
  ) async throws -> MarketV1.Venue {
    let link = try link(request.venue)
    var venue = await venue(link)
    venue.instruments = try await link.instruments.map { instrument throws(RPCError) in
      try MarketV1.Instrument(instrument)
    }
    return venue
  }

  private func venue(_ link: VenueLink) async -> MarketV1.Venue {
    var venue = MarketV1.Venue()
    venue.venue = link.venue
    venue.mode = "simulated"
    venue.symbols = await link.instruments.map(\.symbol)
    venue.makerFeeBps = TypeV1.Decimal(Decimal(units: Int64(config.makerFeeBps), scale: 0))
    venue.takerFeeBps = TypeV1.Decimal(Decimal(units: Int64(config.takerFeeBps), scale: 0))
    let registered = link.known.registration
    venue.privateStream = registered.hasPrivateStream
    venue.policy =
      registered.hasPrivateStream && !config.shadowOnly.contains(link.venue)
      ? .production : .shadowOnly
    venue.rateLimits = registered.limits.map { limit in
      var wire = MarketV1.RateLimit()
      wire.name = limit.name
      wire.max = UInt32(clamping: limit.max)
      if case .window(let window) = limit.rule {
        wire.windowSeconds = UInt32(clamping: window.components.seconds)
      }
      return wire
    }
    venue.tradingHours = config.hours(of: link.known).words
    return venue
  }

  func getVenueHealth(
    _ request: MarketV1.GetVenueHealthRequest, _ context: ServerContext
  ) async throws -> MarketV1.VenueHealth {
    await (try link(request.venue)).health
  }

  func listInstruments(
    _ request: MarketV1.ListInstrumentsRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListInstrumentsResponse {
    let asked = request.venue.isEmpty ? links : [try link(request.venue)]
    var response = MarketV1.ListInstrumentsResponse()
    for link in asked {
      let instruments = await link.instruments
      guard !instruments.isEmpty else {
        throw RPCError(
          .unavailable, "\(link.venue) has not told its instruments yet",
          details: [.retryInfo(delay: .seconds(1))])
      }
      for instrument in instruments {
        response.instruments.append(try MarketV1.Instrument(instrument))
      }
    }
    return response
  }

  func streamMarketData(
    _ request: MarketV1.StreamMarketDataRequest, _ responses: Outgoing<MarketV1.MarketEvent>,
    _ context: ServerContext
  ) async throws {
    guard request.venue.isEmpty else {
      let link = try link(request.venue)
      for symbol in request.symbols { _ = try await link.instrument(symbol) }
      return try await follow(link, request.symbols, responses)
    }
    try await check(request.symbols)
    // One venue's loss must not be another's: each is followed by a task of its own, and the first
    // that ends, ends the stream.
    try await withThrowingTaskGroup(of: Void.self) { group in
      for link in links {
        group.addTask { try await follow(link, request.symbols, responses) }
      }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  /// Every symbol is listed somewhere.
  private func check(_ symbols: [String]) async throws(RPCError) {
    var listed: Set<String> = []
    for link in links { listed.formUnion(await link.instruments.map(\.symbol)) }
    for symbol in symbols where !listed.contains(symbol) {
      throw .invalid("symbols", "\(symbol.prefix(32)) is not listed at any venue")
    }
  }

  private func follow(
    _ link: VenueLink, _ symbols: [String], _ responses: Outgoing<MarketV1.MarketEvent>
  ) async throws {
    let reader = try await link.listen(Set(symbols))
    do {
      while !Task.isCancelled {
        for event in try await link.market.next(reader) { try await responses.send(event) }
      }
      throw RPCError(.cancelled, "the reader is gone")
    } catch {
      await link.market.remove(reader)
      throw error
    }
  }

  func streamNotices(
    _ request: MarketV1.StreamNoticesRequest, _ responses: Outgoing<MarketV1.MarketNotice>,
    _ context: ServerContext
  ) async throws {
    if !request.venue.isEmpty { _ = try link(request.venue) }
    for topic in request.topics where !Self.topics.contains(topic) {
      throw RPCError.invalid(
        "topics", "has \(topic.prefix(32)): \(Self.topics.joined(separator: ", ")) are known")
    }
    let listening = try notices.listen()
    for await notice in listening {
      guard request.venue.isEmpty || notice.venue == request.venue else { continue }
      let isWanted =
        request.topics.isEmpty || request.topics.contains { notice.subject.hasPrefix($0 + ".") }
      if isWanted { try await responses.send(notice) }
    }
    throw RPCError(.unavailable, "the market-connector is stopping")
  }

  private static let topics = ["md.gap", "md.anomaly", "md.health"]
}

struct OrderHandlers: MarketV1.VenueOrderServiceHandler {
  let links: [VenueLink]
  let config: Config
  let time: any TimeSource
  let log: Log

  func link(_ venue: String) throws(RPCError) -> VenueLink {
    guard let link = links.first(where: { $0.venue == venue }) else {
      throw .invalid("venue", "\(venue.prefix(64)) is not connected")
    }
    return link
  }

  func placeOrder(
    _ request: MarketV1.PlaceOrderRequest, _ context: ServerContext
  ) async throws -> MarketV1.VenueOrderOutcome {
    guard let wire = request.order else { throw RPCError.invalid("order", "is missing") }
    let link = try link(wire.venue)
    let instrument = try await link.instrument(wire.symbol)
    let order = try VenueOrder(wire, instrument)
    if let refusal = refusal(link, instrument) {
      return MarketV1.VenueOrderOutcome(refusal, instrument)
    }
    return MarketV1.VenueOrderOutcome(await link.session.orders.place(order), instrument)
  }

  /// What the registry says before the venue is asked.
  func refusal(_ link: VenueLink, _ instrument: Instrument) -> VenueOutcome? {
    if !link.known.registration.hasPrivateStream || config.shadowOnly.contains(link.venue) {
      return .rejected(.venuePolicy, text: "\(link.venue) is for market data and simulation only")
    }
    if case .closed(let reason) = config.hours(of: link.known).state(at: time.now) {
      return .rejected(.marketClosed, text: "\(link.venue) is closed: \(reason)")
    }
    guard instrument.isTrading else {
      return .rejected(.marketClosed, text: "\(instrument.symbol) is not trading at \(link.venue)")
    }
    return nil
  }

  func cancelOrder(
    _ request: MarketV1.CancelVenueOrderRequest, _ context: ServerContext
  ) async throws -> MarketV1.VenueOrderOutcome {
    let link = try link(request.venue)
    let instrument = try await link.instrument(request.symbol)
    let outcome = await link.session.orders.cancel(request.clientOrderId, of: instrument.id)
    return MarketV1.VenueOrderOutcome(outcome, instrument)
  }

  func queryOrder(
    _ request: MarketV1.QueryVenueOrderRequest, _ context: ServerContext
  ) async throws -> MarketV1.VenueOrderOutcome {
    let link = try link(request.venue)
    let instrument = try await link.instrument(request.symbol)
    let outcome = await link.session.orders.query(request.clientOrderId, of: instrument.id)
    return MarketV1.VenueOrderOutcome(outcome, instrument)
  }

  func listOpenOrders(
    _ request: MarketV1.ListOpenVenueOrdersRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListOpenVenueOrdersResponse {
    let link = try link(request.venue)
    var response = MarketV1.ListOpenVenueOrdersResponse()
    for instrument in await link.instruments {
      do {
        for report in try await link.session.orders.openOrders(of: instrument.id) {
          response.orders.append(MarketV1.VenueReport(report, instrument))
        }
      } catch {
        throw RPCError(.unavailable, "\(error)")
      }
    }
    return response
  }

  func listFills(
    _ request: MarketV1.ListVenueFillsRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListVenueFillsResponse {
    let link = try link(request.venue)
    let instrument = try await link.instrument(request.symbol)
    guard !request.venueOrderId.isEmpty else {
      throw RPCError.invalid("venueOrderId", "is missing")
    }
    var response = MarketV1.ListVenueFillsResponse()
    do {
      let fills = try await link.session.orders.fills(
        ofOrder: request.venueOrderId, instrument.id)
      response.fills = fills.map { MarketV1.Fill($0.fill, instrument) }
    } catch {
      throw RPCError(.unavailable, "\(error)")
    }
    return response
  }

  func streamReports(
    _ request: MarketV1.StreamVenueReportsRequest,
    _ responses: Outgoing<MarketV1.VenueReportEvent>, _ context: ServerContext
  ) async throws {
    let link = try link(request.venue)
    var first = MarketV1.VenueReportEvent()
    first.event = .resynchronise(link.resynchronise("the stream begins"))
    let reader = try await link.reports.add(first: [first]) { _ in true }
    do {
      while !Task.isCancelled {
        for event in try await link.reports.next(reader) { try await responses.send(event) }
      }
      throw RPCError(.cancelled, "the reader is gone")
    } catch {
      await link.reports.remove(reader)
      throw error
    }
  }
}
