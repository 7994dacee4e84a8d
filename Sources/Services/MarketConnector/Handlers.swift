internal import Calls
internal import Contracts
internal import Translation
internal import Units
internal import Venue
internal import Venues
internal import Wire

struct Handlers: MarketV1.MarketServiceHandler {
  let links: [VenueLink]
  let config: Config

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
    await venue(try link(request.venue))
  }

  private func venue(_ link: VenueLink) async -> MarketV1.Venue {
    var venue = MarketV1.Venue()
    venue.venue = link.venue
    venue.mode = "simulated"
    venue.symbols = await link.instruments.map(\.symbol)
    venue.makerFeeBps = TypeV1.Decimal(Decimal(units: Int64(config.makerFeeBps), scale: 0))
    venue.takerFeeBps = TypeV1.Decimal(Decimal(units: Int64(config.takerFeeBps), scale: 0))
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
    guard let venue = request.venue.isEmpty ? links.first?.venue : request.venue else {
      throw RPCError(.unavailable, "no venue is configured")
    }
    let link = try link(venue)
    for symbol in request.symbols { _ = try await link.instrument(symbol) }
    let reader = try await link.listen(Set(request.symbols))
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
}

struct OrderHandlers: MarketV1.VenueOrderServiceHandler {
  let links: [VenueLink]

  private func link(_ venue: String) throws(RPCError) -> VenueLink {
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
    return MarketV1.VenueOrderOutcome(await link.session.orders.place(order), instrument)
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
