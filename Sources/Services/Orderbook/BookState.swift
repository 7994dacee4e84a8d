internal import Chrono
internal import Contracts
internal import MarketQuality
internal import OrderBook
internal import Translation
internal import Units
internal import Venue

/// One book and what is known around it.
struct BookState {
  let instrument: Instrument
  let book: PriceLevelBook
  var updateID: UInt64 = 0
  var exchangeTime = Instant.epoch
  var receivedTime = Instant.epoch
  /// Why the book is not to be trusted; nil while it is.
  var staleReason: String? = "no snapshot yet"
  /// What the market-connector's checks say of the market.
  var flags: QualityFlags = []
  /// Grows with every change; never zero once there is something to show.
  var version: UInt64 = 0
  var check = TopCheck()
  /// Newest last.
  var trades: [OrderbookV1.TradePrint] = []

  init(_ instrument: Instrument, levelsMax: Int) {
    self.instrument = instrument
    self.book = PriceLevelBook(levelsMax: levelsMax)
  }

  var top: OrderbookV1.Top {
    var top = OrderbookV1.Top()
    top.venue = instrument.venue.name
    top.symbol = instrument.symbol
    top.updateId = updateID
    if let bid = book.bestBid {
      top.bidPrice = instrument.wire(bid.price)
      top.bidQuantity = instrument.wire(bid.quantity)
    }
    if let ask = book.bestAsk {
      top.askPrice = instrument.wire(ask.price)
      top.askQuantity = instrument.wire(ask.quantity)
    }
    top.exchangeTimeNs = UInt64(max(0, exchangeTime.nanoseconds))
    top.receivedTimeNs = UInt64(max(0, receivedTime.nanoseconds))
    top.stale = staleReason != nil
    top.quality = allFlags.rawValue
    return top
  }

  func message(depth: Int, group: Price?) -> OrderbookV1.Book {
    var message = OrderbookV1.Book()
    message.venue = instrument.venue.name
    message.symbol = instrument.symbol
    message.updateId = updateID
    let bids = levels(.buy, depth, group)
    let asks = levels(.sell, depth, group)
    message.bids = bids.map(wire)
    message.asks = asks.map(wire)
    if let imbalance = Self.imbalance(bids, asks) { message.imbalance = TypeV1.Decimal(imbalance) }
    message.exchangeTime = .init(exchangeTime)
    message.receivedTime = .init(receivedTime)
    message.stale = staleReason != nil
    message.staleReason = staleReason ?? ""
    message.quality = quality
    message.hash = book.stateHash
    if let bid = book.bestBid, let ask = book.bestAsk {
      message.mid = TypeV1.Decimal(instrument.mid(bid.price, ask.price))
      message.spread = TypeV1.Decimal(
        Decimal(units: ask.price.raw - bid.price.raw, scale: instrument.priceScale))
    }
    return message
  }

  private func levels(_ side: Side, _ depth: Int, _ group: Price?) -> [PriceLevel] {
    if let group { return book.grouped(side, step: group, max: depth) }
    return book.levels(side, max: depth)
  }

  private func wire(_ level: PriceLevel) -> OrderbookV1.BookLevel {
    var wire = OrderbookV1.BookLevel()
    wire.price = instrument.wire(level.price)
    wire.quantity = instrument.wire(level.quantity)
    return wire
  }

  /// (bids - asks) / (bids + asks) with four decimals, cut towards zero; nil when both are empty.
  static func imbalance(_ bids: [PriceLevel], _ asks: [PriceLevel]) -> Decimal? {
    let bid = bids.reduce(Int128(0)) { $0 + Int128($1.quantity.raw) }
    let ask = asks.reduce(Int128(0)) { $0 + Int128($1.quantity.raw) }
    guard bid + ask > 0 else { return nil }
    return Decimal(units: Int64((bid - ask) * 10_000 / (bid + ask)), scale: 4)
  }
}
