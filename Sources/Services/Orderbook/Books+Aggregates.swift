internal import Chrono
internal import Contracts
internal import OrderBook
internal import Translation
internal import Units
internal import Venue

/// `md.agg.{symbol}` of source document 001: a symbol's best prices over its venues.
extension Books {
  /// The symbols that changed after a version; what lies between is conflated. Oldest first.
  func aggregates(_ symbols: Set<String>, after known: UInt64) -> [OrderbookV1.Aggregate] {
    symbolVersions
      .filter { $0.value > known && (symbols.isEmpty || symbols.contains($0.key)) }
      .sorted { $0.value < $1.value }.map { aggregate($0.key) }
  }

  /// Venues that are tainted are told and left out; what else is wrong with one is told only.
  private func aggregate(_ symbol: String) -> OrderbookV1.Aggregate {
    let states = states(of: symbol)
    var aggregate = OrderbookV1.Aggregate()
    aggregate.subject = "md.agg.\(symbol)"
    aggregate.symbol = symbol
    aggregate.exchangeTimeNs = UInt64(
      max(0, states.map(\.exchangeTime.nanoseconds).max() ?? 0))
    aggregate.receivedTimeNs = UInt64(
      max(0, states.map(\.receivedTime.nanoseconds).max() ?? 0))
    aggregate.sequence = updates[symbol]?.sequence ?? 0
    aggregate.epoch = epoch
    aggregate.venues = states.map(\.venueSummary)
    if let book = consolidated[symbol] {
      aggregate.bid = book.levels(.buy, max: 1, step: nil).first.map { Self.wire($0, book) }
      aggregate.ask = book.levels(.sell, max: 1, step: nil).first.map { Self.wire($0, book) }
      aggregate.stale = book.liveCount == 0
      aggregate.quality = quality(book)
    } else if let only = states.first {
      aggregate.stale = only.staleReason != nil
      aggregate.quality = only.quality
      guard !aggregate.stale else { return aggregate }
      aggregate.bid = only.book.bestBid.map { only.aggregateLevel($0) }
      aggregate.ask = only.book.bestAsk.map { only.aggregateLevel($0) }
    }
    return aggregate
  }
}

extension BookState {
  fileprivate func aggregateLevel(_ level: PriceLevel) -> OrderbookV1.BookLevel {
    var wire = OrderbookV1.BookLevel()
    wire.price = instrument.wire(level.price)
    wire.quantity = instrument.wire(level.quantity)
    var share = OrderbookV1.VenueQuantity()
    share.venue = instrument.venue.name
    share.quantity = wire.quantity
    wire.byVenue = [share]
    return wire
  }
}
