package import Units
package import Venue

/// A venue that lists the symbol: its own book, in its own scales.
package struct BookListing {
  package let venue: VenueID
  package let book: PriceLevelBook
  package let priceScale: UInt8
  package let quantityScale: UInt8

  package init(venue: VenueID, book: PriceLevelBook, priceScale: UInt8, quantityScale: UInt8) {
    self.venue = venue
    self.book = book
    self.priceScale = priceScale
    self.quantityScale = quantityScale
  }
}

/// A price at or beyond 64 bits in the common scale; the venue has left until a price fits.
package struct ConsolidatedOverflow: Error, Sendable, Hashable {
  package let venue: VenueID
}

/// A price with what each venue shows at it.
package struct ConsolidatedLevel: Sendable, Hashable {
  package var price: Price
  /// Of all venues, at most the greatest 64-bit quantity.
  package var quantity: Quantity
  /// In the order of the listings.
  package var venues: [VenueShare]

  package init(price: Price, quantity: Quantity, venues: [VenueShare]) {
    self.price = price
    self.quantity = quantity
    self.venues = venues
  }
}

package struct VenueShare: Sendable, Hashable {
  /// The place of the venue among the listings.
  package var listing: Int
  package var quantity: Quantity

  package init(listing: Int, quantity: Quantity) {
    self.listing = listing
    self.quantity = quantity
  }
}

/// One symbol across venues: the best price anywhere, with the sizes by venue.
///
/// Venues differ in scale, so every price and quantity is carried to the greatest scale among them,
/// which is exact. A venue counts from its first `update` or `refresh` until it leaves; it leaves
/// when its book goes stale. Venues are independent of each other, so the best bid may be above the
/// best ask of another: that is the market's business, not a fault. One writer.
package final class ConsolidatedBook {
  /// A venue is a bit of a mask.
  package static let listingsMax = 64

  package let listings: [BookListing]
  package let priceScale: UInt8
  package let quantityScale: UInt8
  private let priceFactors: [Int64]
  private let quantityFactors: [Int64]
  @exclusivity(unchecked) private var bids: BestPrices
  @exclusivity(unchecked) private var asks: BestPrices
  private var live: UInt64 = 0

  /// Nil without listings, with more than `listingsMax`, or with scales more than 18 digits apart.
  package init?(_ listings: [BookListing]) {
    guard let price = listings.map(\.priceScale).max(),
      let quantity = listings.map(\.quantityScale).max(), listings.count <= Self.listingsMax,
      let prices = Self.factors(listings.map(\.priceScale), to: price),
      let quantities = Self.factors(listings.map(\.quantityScale), to: quantity)
    else { return nil }
    self.listings = listings
    priceScale = price
    quantityScale = quantity
    priceFactors = prices
    quantityFactors = quantities
    bids = BestPrices(count: listings.count)
    asks = BestPrices(count: listings.count)
  }

  private static func factors(_ scales: [UInt8], to scale: UInt8) -> [Int64]? {
    var factors: [Int64] = []
    for own in scales {
      guard scale - own <= 18 else { return nil }
      factors.append((0..<(scale - own)).reduce(Int64(1)) { factor, _ in factor * 10 })
    }
    return factors
  }

  // MARK: Changing

  /// The venue's best prices as its book has them now; true when the best of all changed.
  @discardableResult
  package func refresh(_ listing: Int) throws(ConsolidatedOverflow) -> Bool {
    let book = listings[listing].book
    return try update(listing, bid: book.bestBid, ask: book.bestAsk)
  }

  /// The venue's best prices, in its own scales; true when a price or a size of the best changed.
  @discardableResult
  package func update(
    _ listing: Int, bid: PriceLevel?, ask: PriceLevel?
  ) throws(ConsolidatedOverflow) -> Bool {
    let bidKey = key(bid, 1, listing)
    let askKey = key(ask, -1, listing)
    guard bidKey != .max, askKey != .max else {
      leave(listing)
      throw ConsolidatedOverflow(venue: listings[listing].venue)
    }
    live |= 1 << UInt64(listing)
    let bidChanged = bids.set(listing, bidKey, scaled(bid, listing))
    let askChanged = asks.set(listing, askKey, scaled(ask, listing))
    return bidChanged || askChanged
  }

  /// The venue counts no more, until its next update; true when the best of all changed.
  @discardableResult
  package func leave(_ listing: Int) -> Bool {
    live &= ~(1 << UInt64(listing))
    let bidChanged = bids.set(listing, BestPrices.none, 0)
    let askChanged = asks.set(listing, BestPrices.none, 0)
    return bidChanged || askChanged
  }

  /// A key that grows towards the touch; `BestPrices.none` without a level, `Int64.max` when it
  /// does not fit.
  @inline(__always)
  private func key(_ level: PriceLevel?, _ sign: Int64, _ listing: Int) -> Int64 {
    guard let level else { return BestPrices.none }
    let (raw, overflow) = level.price.raw.multipliedReportingOverflow(by: priceFactors[listing])
    return overflow || raw == .min || raw == .max ? .max : raw &* sign
  }

  /// A quantity beyond 64 bits stays at the greatest.
  @inline(__always)
  private func scaled(_ level: PriceLevel?, _ listing: Int) -> Int64 {
    guard let level else { return 0 }
    let (raw, overflow) = level.quantity.raw.multipliedReportingOverflow(
      by: quantityFactors[listing])
    return overflow ? .max : raw
  }

  // MARK: Reading

  package func isLive(_ listing: Int) -> Bool { live & 1 << UInt64(listing) != 0 }

  package var liveCount: Int { live.nonzeroBitCount }

  /// The best price across venues and the sum of what they show at it.
  package func best(_ side: Side) -> PriceLevel? {
    let prices = side == .buy ? bids.best : asks.best
    guard let best = prices else { return nil }
    return PriceLevel(price: Price(best.key &* side.sign), quantity: Quantity(best.quantity))
  }

  /// The best price with its sizes by venue.
  package func bestLevel(_ side: Side) -> ConsolidatedLevel? {
    guard let best = best(side) else { return nil }
    let shares = side == .buy ? bids.shares : asks.shares
    return ConsolidatedLevel(price: best.price, quantity: best.quantity, venues: shares)
  }

  /// The best `max` levels across live venues, prices grouped by `step` of the common scale: a bid
  /// counts towards the step at or below its price, an ask towards the one at or above.
  package func levels(_ side: Side, max: Int, step: Price? = nil) -> [ConsolidatedLevel] {
    guard max > 0 else { return [] }
    let rows = listings.indices.map { isLive($0) ? row(side, $0, max: max, step: step) : [] }
    var places = rows.map { _ in 0 }
    var levels: [ConsolidatedLevel] = []
    while levels.count < max {
      var price: Price?
      for (row, place) in zip(rows, places) where place < row.count {
        let candidate = row[place].price
        if price.map({ candidate.isBetter(than: $0, on: side) }) ?? true { price = candidate }
      }
      guard let price else { break }
      var level = ConsolidatedLevel(price: price, quantity: .zero, venues: [])
      for index in rows.indices where places[index] < rows[index].count {
        let own = rows[index][places[index]]
        guard own.price == price else { continue }
        level.quantity = saturatingSum(level.quantity, own.quantity)
        level.venues.append(VenueShare(listing: index, quantity: own.quantity))
        places[index] += 1
      }
      levels.append(level)
    }
    return levels
  }

  /// One venue's best levels or groups in the common scales.
  private func row(_ side: Side, _ listing: Int, max: Int, step: Price?) -> [PriceLevel] {
    var row: [PriceLevel] = []
    listings[listing].book.forEachLevel(side) { level in
      let key = key(level, 1, listing)
      guard key != .max else { return false }
      let price = step.map { PriceLevelBook.group(of: Price(key), step: $0, side: side) }
      let own = PriceLevel(price: price ?? Price(key), quantity: Quantity(scaled(level, listing)))
      if let last = row.indices.last, row[last].price == own.price {
        row[last].quantity = saturatingSum(row[last].quantity, own.quantity)
        return true
      }
      guard row.count < max else { return false }
      row.append(own)
      return true
    }
    return row
  }

  /// Equal exactly when, chance aside, the same venues are live with equal books.
  package var stateHash: UInt64 {
    var hash = StateHash()
    for index in listings.indices where isLive(index) {
      hash.combine(UInt64(index))
      hash.combine(listings[index].book.stateHash)
    }
    return hash.value
  }
}
