internal import Calls
internal import Chrono
internal import Contracts
internal import EventBus
internal import Loop
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Units
internal import Venue
internal import Venues
internal import Wire

struct Handlers: MarketV1.MarketServiceHandler {
  let links: [VenueLink]
  var failed: [FailedVenue] = []
  let config: Config
  let notices: NoticeBoard
  let time: any TimeSource

  private func link(_ venue: String) throws(RPCError) -> VenueLink {
    if let link = links.first(where: { $0.venue == venue }) { return link }
    if let failed = failed.first(where: { $0.venue == venue }) {
      throw RPCError(.failedPrecondition, "\(venue) is not connected: \(failed.reason)")
    }
    let known = (links.map(\.venue) + failed.map(\.venue)).joined(separator: ", ")
    throw RPCError(.notFound, "there is no venue \(venue.prefix(64)); known: \(known)")
  }

  func listVenues(
    _ request: MarketV1.ListVenuesRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListVenuesResponse {
    var response = MarketV1.ListVenuesResponse()
    for link in links {
      response.venues.append(
        venue(
          link.known, await link.instruments, settlesAfter: link.session.orders.settlesAfter))
    }
    for failed in failed { response.venues.append(venue(failed.known, [], failure: failed.reason)) }
    return response
  }

  func getVenue(
    _ request: MarketV1.GetVenueRequest, _ context: ServerContext
  ) async throws -> MarketV1.Venue {
    if let failed = failed.first(where: { $0.venue == request.venue }) {
      return venue(failed.known, [], failure: failed.reason)
    }
    let link = try link(request.venue)
    let instruments = await link.instruments
    var venue = venue(
      link.known, instruments, settlesAfter: link.session.orders.settlesAfter)
    venue.instruments = try instruments.map { each throws(RPCError) in
      try instrument(each, of: link.known)
    }
    return venue
  }

  func getVenueHealth(
    _ request: MarketV1.GetVenueHealthRequest, _ context: ServerContext
  ) async throws -> MarketV1.VenueHealth {
    if let failed = failed.first(where: { $0.venue == request.venue }) {
      return failed.health(at: time.now)
    }
    return await (try link(request.venue)).health
  }

  func listInstruments(
    _ request: MarketV1.ListInstrumentsRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListInstrumentsResponse {
    var response = MarketV1.ListInstrumentsResponse()
    guard request.venue.isEmpty else {
      let link = try link(request.venue)
      response.instruments = try await link.listed().map { each throws(RPCError) in
        try instrument(each, of: link.known)
      }
      response.closures = link.closure.map { [$0] } ?? []
      return response
    }
    var reasons = failed.map { ($0.venue, "is not connected: \($0.reason)") }
    for link in links {
      let instruments = await link.instruments
      if instruments.isEmpty { reasons.append((link.venue, await link.unlisted)) }
      for each in instruments { response.instruments.append(try instrument(each, of: link.known)) }
    }
    guard !response.instruments.isEmpty else {
      throw RPCError(
        .unavailable, reasons.map { "\($0) \($1)" }.joined(separator: "; "),
        details: [.retryInfo(delay: .seconds(1))])
    }
    response.closures = links.compactMap(\.closure)
    response.unavailableVenues = reasons.map { venue, reason in
      var unavailable = MarketV1.UnavailableVenue()
      unavailable.venue = venue
      unavailable.reason = reason
      return unavailable
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
    if !request.venue.isEmpty, !failed.contains(where: { $0.venue == request.venue }) {
      _ = try link(request.venue)
    }
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
  var failed: [FailedVenue] = []
  let config: Config
  let hold: OrderHold
  let service: ServiceContext

  func link(_ venue: String) throws(RPCError) -> VenueLink {
    if let link = links.first(where: { $0.venue == venue }) { return link }
    if let failed = failed.first(where: { $0.venue == venue }) {
      throw RPCError(.failedPrecondition, "\(venue) is not connected: \(failed.reason)")
    }
    throw .invalid("venue", "\(venue.prefix(64)) is not connected")
  }

  func placeOrder(
    _ request: MarketV1.PlaceOrderRequest, _ context: ServerContext
  ) async throws -> MarketV1.VenueOrderOutcome {
    guard let wire = request.order else { throw RPCError.invalid("order", "is missing") }
    let link = try link(wire.venue)
    let instrument: Instrument
    do throws(RPCError) {
      instrument = try await link.instrument(wire.symbol)
    } catch {
      guard error.code == .unavailable else { throw error }
      // Nothing was sent, so it is a refusal and no doubt.
      return MarketV1.VenueOrderOutcome(refused: .venueUnavailable, text: error.message)
    }
    let order = try VenueOrder(wire, instrument)
    if let refusal = refusal(link, instrument) {
      return MarketV1.VenueOrderOutcome(refusal, instrument)
    }
    return MarketV1.VenueOrderOutcome(await link.session.orders.place(order), instrument)
  }

  /// Longest time of one hold: whoever wants it longer says so again.
  private static let holdMax: UInt32 = 60_000

  func holdOrders(
    _ request: MarketV1.HoldOrdersRequest, _ context: ServerContext
  ) async throws -> MarketV1.HoldOrdersResponse {
    guard request.forMs <= Self.holdMax else {
      throw RPCError.invalid("forMs", "must be at most \(Self.holdMax), not \(request.forMs)")
    }
    let now = service.loop.uptime
    let wasClosed = hold.isClosed(at: now)
    if request.forMs == 0 {
      hold.open()
      do { try HoldMark(service.state).remove() } catch {
        throw RPCError(.unavailable, "\(error)")
      }
    } else {
      hold.close(until: now + .milliseconds(Int64(request.forMs)))
    }
    if hold.isClosed(at: now) != wasClosed {
      service.log.warning(
        wasClosed ? "orders pass again" : "orders are held: the kill switch is engaged",
        ["caller": .text(context.identity.service ?? "")])
    }
    return MarketV1.HoldOrdersResponse()
  }

  /// What the registry says before the venue is asked.
  func refusal(_ link: VenueLink, _ instrument: Instrument) -> VenueOutcome? {
    if hold.isClosed(at: service.loop.uptime) {
      return .rejected(.killSwitch, text: OrderHold.reason)
    }
    if config.isShadowOnly(link.known) {
      return .rejected(.venuePolicy, text: "\(link.venue) is for market data and simulation only")
    }
    if case .closed(let reason) = config.hours(of: link.known).state(at: service.time.now) {
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

extension MarketV1.VenueOrderOutcome {
  init(refused reason: RejectReason, text: String) {
    self.init()
    var rejection = MarketV1.VenueRejection()
    rejection.reason = TypeV1.RejectReason(reason)
    rejection.text = text
    outcome = .rejected(rejection)
  }
}
