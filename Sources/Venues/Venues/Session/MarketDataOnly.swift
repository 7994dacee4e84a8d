internal import Units
internal import Venue

/// Order entry of a venue that is followed and not traded at: nothing is sent, and everything is
/// refused as venue policy.
struct MarketDataOnly: VenueOrderEntry {
  private let text: String
  let settlesAfter = Duration.zero

  /// `text`: why.
  init(_ text: String) { self.text = text }

  static func withoutKey(_ venue: KnownVenue) -> MarketDataOnly {
    MarketDataOnly("\(venue.rawValue) is followed without a key: orders need one")
  }

  private var refusal: VenueOutcome { .rejected(.venuePolicy, text: text) }
  private var error: VenueError { VenueError(.venuePolicy, text) }

  func place(_ order: VenueOrder) async -> VenueOutcome { refusal }

  func cancel(_ clientOrderID: String, of instrument: InstrumentID) async -> VenueOutcome {
    refusal
  }

  func replace(_ clientOrderID: String, with order: VenueOrder) async -> VenueReplacement {
    VenueReplacement(cancel: refusal, place: nil)
  }

  func amend(_ amendment: VenueAmendment) async -> VenueOutcome { refusal }

  func cancelAll(of instrument: InstrumentID) async throws(VenueError) -> VenueList<VenueReport> {
    throw error
  }

  func query(_ clientOrderID: String, of instrument: InstrumentID) async -> VenueOutcome { refusal }

  func openOrders(of instrument: InstrumentID) async throws(VenueError) -> VenueList<VenueReport> {
    throw error
  }

  func fills(
    of instrument: InstrumentID, from executionID: String?
  ) async throws(VenueError) -> VenueList<VenueFillRecord> { throw error }

  func fills(
    ofOrder venueOrderID: String, _ instrument: InstrumentID
  ) async throws(VenueError) -> VenueList<VenueFillRecord> { throw error }

  func balances() async throws(VenueError) -> [VenueBalance] { throw error }
}
