internal import Calls
internal import Contracts
internal import MarketQuality
internal import OrderBook
internal import Translation
internal import Units
internal import Venue

extension Books {
  /// Most updates handed to a reader at once.
  static let updatesAtOnceMax = 256

  /// What a reader of `StreamBookUpdates` is to be sent after the sequence it has: the changes
  /// since, or a snapshot when it has none or what it misses is kept no more. Empty when it has all.
  func updates(
    _ symbol: String, after known: UInt64, epoch: UInt64
  ) throws(RPCError) -> [OrderbookV1.BookUpdate] {
    try check([symbol])
    let history = updates[symbol]
    guard let history, history.sequence > 0 else { return [] }
    if epoch == self.epoch, known > 0 {
      if let changes = history.changes(after: known, max: Self.updatesAtOnceMax) {
        return changes.map { update(symbol, $0.sequence, [$0.change.message]) }
      }
      restarted(symbol)
    }
    let venues = states(of: symbol).filter { $0.version > 0 }
    var snapshot = update(symbol, history.sequence, venues.map(\.wholeBook.message))
    snapshot.snapshot = true
    return [snapshot]
  }

  private func update(
    _ symbol: String, _ sequence: UInt64, _ venues: [OrderbookV1.VenueBookUpdate]
  ) -> OrderbookV1.BookUpdate {
    var update = OrderbookV1.BookUpdate()
    update.symbol = symbol
    update.epoch = epoch
    update.sequence = sequence
    update.venues = venues
    return update
  }
}

extension BookState {
  /// All levels, as a change that replaces whatever a reader has.
  var wholeBook: VenueChange {
    change(
      replaces: true, bids: wholeSide(.buy), asks: wholeSide(.sell), hash: book.stateHash)
  }

  private func wholeSide(_ side: Side) -> [MarketV1.Level] {
    book.levels(side, max: .max).map { level in
      var wire = MarketV1.Level()
      wire.price = level.price.raw
      wire.quantity = level.quantity.raw
      return wire
    }
  }

  func change(
    replaces: Bool, bids: [MarketV1.Level], asks: [MarketV1.Level], hash: UInt64
  ) -> VenueChange {
    VenueChange(
      instrument: instrument, updateID: updateID, replaces: replaces, bids: bids, asks: asks,
      isCrossed: book.isCrossed, staleReason: staleReason, quality: allFlags.rawValue,
      exchangeTime: exchangeTime, receivedTime: receivedTime, hash: hash)
  }
}
