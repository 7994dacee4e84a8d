internal import Calls
internal import Chrono
internal import Contracts
internal import MarketQuality
internal import OrderBook
internal import Translation
internal import Units
internal import Venue

extension Books {
  /// The symbol across its venues, whose levels tell who shows how much.
  func consolidatedBook(
    _ symbol: String, _ book: ConsolidatedBook, depth: Int, group: TypeV1.Decimal?
  ) throws(RPCError) -> OrderbookV1.Book {
    let states = states(of: symbol)
    guard states.contains(where: { $0.version > 0 }) else {
      throw RPCError(
        .unavailable, "the book of \(symbol) has no snapshot yet at any venue",
        details: [.retryInfo(delay: .seconds(1))])
    }
    let step = try Self.step(group, book)
    let bids = book.levels(.buy, max: depth, step: step)
    let asks = book.levels(.sell, max: depth, step: step)
    var message = OrderbookV1.Book()
    message.symbol = symbol
    message.bids = bids.map { Self.wire($0, book) }
    message.asks = asks.map { Self.wire($0, book) }
    if let imbalance = BookState.imbalance(bids.map(\.total), asks.map(\.total)) {
      message.imbalance = TypeV1.Decimal(imbalance)
    }
    Self.setMid(&message, book)
    message.exchangeTime = .init(states.map(\.exchangeTime).max() ?? .epoch)
    message.receivedTime = .init(states.map(\.receivedTime).max() ?? .epoch)
    message.venues = states.map(\.venueSummary)
    message.sequence = updates[symbol]?.sequence ?? 0
    message.epoch = epoch
    message.hash = book.stateHash
    message.stale = book.liveCount == 0
    message.staleReason = message.stale ? states.compactMap(\.staleReason).first ?? "" : ""
    message.quality = quality(book)
    return message
  }

  private static func step(
    _ group: TypeV1.Decimal?, _ book: ConsolidatedBook
  ) throws(RPCError) -> Price? {
    guard let group else { return nil }
    let decimal = Decimal(units: group.units, scale: UInt8(min(group.scale, 18)))
    guard group.scale <= 18, let raw = decimal.units(atScale: book.priceScale), raw > 0 else {
      throw .invalid(
        "group", "\(decimal) is not a positive number of at most \(book.priceScale) decimals")
    }
    return Price(raw)
  }

  private static func setMid(_ message: inout OrderbookV1.Book, _ book: ConsolidatedBook) {
    guard let bid = book.best(.buy)?.price.raw, let ask = book.best(.sell)?.price.raw,
      book.priceScale < 18
    else { return }
    let (sum, beyond) = bid.addingReportingOverflow(ask)
    let (units, overflow) = sum.multipliedReportingOverflow(by: 5)
    if !beyond, !overflow {
      message.mid = TypeV1.Decimal(Decimal(units: units, scale: book.priceScale + 1))
    }
    message.spread = TypeV1.Decimal(Decimal(units: ask &- bid, scale: book.priceScale))
  }

  static func wire(
    _ level: ConsolidatedLevel, _ book: ConsolidatedBook
  ) -> OrderbookV1.BookLevel {
    func wire(_ quantity: Quantity) -> TypeV1.Decimal {
      TypeV1.Decimal(Decimal(units: quantity.raw, scale: book.quantityScale))
    }
    var message = OrderbookV1.BookLevel()
    message.price = TypeV1.Decimal(Decimal(units: level.price.raw, scale: book.priceScale))
    message.quantity = wire(level.quantity)
    message.byVenue = level.venues.map { share in
      var venue = OrderbookV1.VenueQuantity()
      venue.venue = book.listings[share.listing].venue.name
      venue.quantity = wire(share.quantity)
      return venue
    }
    return message
  }

  func quality(_ book: ConsolidatedBook) -> [String] {
    guard book.liveCount > 0 else { return ["tainted"] }
    var quality: [String] = []
    if book.liveCount < book.listings.count { quality.append("partial") }
    guard let bid = book.best(.buy), let ask = book.best(.sell) else {
      return quality + [QualityCheck.oneSided.name]
    }
    if bid.price >= ask.price { quality.append(QualityCheck.crossed.name) }
    return quality
  }
}

extension ConsolidatedLevel {
  fileprivate var total: PriceLevel { PriceLevel(price: price, quantity: quantity) }
}

extension BookState {
  /// What the market-connector says of the market, and what the book says of itself.
  var allFlags: QualityFlags {
    if staleReason != nil { return flags.union(.tainted) }
    var all = flags
    if book.isCrossed { all.insert(.crossed) }
    if book.bestBid == nil || book.bestAsk == nil { all.insert(.oneSided) }
    return all
  }

  /// In the words of the checks; a gap is one of several reasons to be tainted.
  var quality: [String] {
    let all = allFlags
    return QualityCheck.allCases.filter { all.contains($0.flag) }
      .map { $0 == .tainted ? "tainted" : $0.name }
  }

  var venueSummary: OrderbookV1.BookVenue {
    var venue = OrderbookV1.BookVenue()
    venue.venue = instrument.venue.name
    venue.updateId = updateID
    venue.stale = staleReason != nil
    venue.staleReason = staleReason ?? ""
    venue.hash = book.stateHash
    venue.quality = quality
    return venue
  }
}
