import Calls
import Contracts
import Synchronization
import Testing

/// A market-connector that lists instruments and streams nothing.
struct ScriptedMarket: MarketV1.MarketServiceHandler {
  var instruments = [bitcoin()]

  func listInstruments(
    _ request: MarketV1.ListInstrumentsRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListInstrumentsResponse {
    var response = MarketV1.ListInstrumentsResponse()
    response.instruments = instruments
    return response
  }

  func listVenues(
    _ request: MarketV1.ListVenuesRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListVenuesResponse { throw RPCError(.unimplemented, "") }

  func getVenue(
    _ request: MarketV1.GetVenueRequest, _ context: ServerContext
  ) async throws -> MarketV1.Venue { throw RPCError(.unimplemented, "") }

  func getVenueHealth(
    _ request: MarketV1.GetVenueHealthRequest, _ context: ServerContext
  ) async throws -> MarketV1.VenueHealth { throw RPCError(.unimplemented, "") }

  func streamMarketData(
    _ request: MarketV1.StreamMarketDataRequest, _ responses: Outgoing<MarketV1.MarketEvent>,
    _ context: ServerContext
  ) async throws { throw RPCError(.unimplemented, "") }

  func streamNotices(
    _ request: MarketV1.StreamNoticesRequest, _ responses: Outgoing<MarketV1.MarketNotice>,
    _ context: ServerContext
  ) async throws { throw RPCError(.unimplemented, "") }
}
