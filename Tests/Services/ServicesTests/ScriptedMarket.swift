import Calls
import Contracts
import Synchronization
import Testing

/// A market-connector that lists instruments and streams nothing.
final class ScriptedMarket: MarketV1.MarketServiceHandler {
  private let settlesAfter: Duration?
  private let state = Mutex(
    (
      instruments: [bitcoin()], absent: [String](), hidden: false,
      closures: [MarketV1.VenueClosure]()
    ))

  /// `absent`: venues that have not told their instruments. `settlesAfter`: how long requests can take effect there; nil: it does not say.
  init(absent: [String] = [], features: [String] = [], settlesAfter: Duration? = nil) {
    self.settlesAfter = settlesAfter
    state.withLock { state in
      state.absent = absent
      state.instruments[0].features = features
    }
  }

  init(_ instruments: [MarketV1.Instrument]) {
    settlesAfter = nil
    state.withLock { $0.instruments = instruments }
  }

  /// Binance takes no orders for so long; nil: it takes them.
  func closes(for time: Duration?) {
    state.withLock { state in
      state.closures = []
      guard let time else { return }
      var closure = MarketV1.VenueClosure()
      closure.venue = "binance"
      closure.reason = "the venue has told us to stop"
      closure.rejectReason = .rateLimit
      closure.forMs = UInt64(time / .milliseconds(1))
      state.closures = [closure]
    }
  }

  /// What it knows of its venues it does not tell, or tells again.
  func hidesVenues(_ isHidden: Bool) { state.withLock { $0.hidden = isHidden } }

  /// A venue that was absent lists one.
  func comes(_ instrument: MarketV1.Instrument) {
    state.withLock { state in
      state.absent.removeAll { $0 == instrument.venue }
      state.instruments.append(instrument)
    }
  }

  /// Its venue has changed its rules.
  func changes(_ instrument: MarketV1.Instrument) {
    state.withLock { state in
      state.instruments.removeAll {
        $0.venue == instrument.venue && $0.symbol == instrument.symbol
      }
      state.instruments.append(instrument)
    }
  }

  func listInstruments(
    _ request: MarketV1.ListInstrumentsRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListInstrumentsResponse {
    state.withLock { state in
      var response = MarketV1.ListInstrumentsResponse()
      response.instruments = state.instruments
      response.closures = state.closures
      response.unavailableVenues = state.absent.map { venue in
        var unavailable = MarketV1.UnavailableVenue()
        unavailable.venue = venue
        unavailable.reason = "has not told its instruments yet"
        return unavailable
      }
      return response
    }
  }

  func listVenues(
    _ request: MarketV1.ListVenuesRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListVenuesResponse { throw RPCError(.unimplemented, "") }

  func getVenue(
    _ request: MarketV1.GetVenueRequest, _ context: ServerContext
  ) async throws -> MarketV1.Venue {
    if state.withLock({ $0.hidden }) { throw RPCError(.unavailable, "not now") }
    var venue = MarketV1.Venue()
    if let settlesAfter { venue.settlesAfterMs = UInt64(settlesAfter / .milliseconds(1)) }
    return venue
  }

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
