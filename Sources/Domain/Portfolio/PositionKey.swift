package import Venue

/// What a position is a position in: a symbol at a venue.
package struct Market: Sendable, Hashable {
  package let venue: VenueID
  package let symbol: String

  package init(venue: VenueID, symbol: String) {
    self.venue = venue
    self.symbol = symbol
  }

  package init(_ instrument: Instrument) {
    self.init(venue: instrument.venue, symbol: instrument.symbol)
  }
}

/// Whose position, and in what.
package struct PositionKey: Sendable, Hashable {
  package let account: String
  package let market: Market

  package init(account: String, market: Market) {
    self.account = account
    self.market = market
  }
}
