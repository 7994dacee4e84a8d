internal import Bytes
internal import Chrono
internal import JSON
internal import OrderBook
internal import Units
internal import Venue

/// A channel of Kraken's WebSocket v2 that everyone may listen to.
enum KrakenChannel: Hashable {
  case book(market: Int, depth: Int)
  case trade(market: Int)
  case ticker(market: Int)
  case instrument
  case orders(market: Int, depth: Int)

  var depth: Int? {
    switch self {
    case .book(_, let depth), .orders(_, let depth): depth
    case .trade, .ticker, .instrument: nil
    }
  }
}

/// What a ticker says of a market's trades since the exchange began.
private struct TradedRange {
  var first: Price
  var last: Price
  var low: Price
  var high: Price
  var volume = Quantity.zero

  init(_ price: Price) { (first, last, low, high) = (price, price, price, price) }

  mutating func add(_ trade: PublicTrade) {
    if volume == .zero { self = TradedRange(trade.price) }
    last = trade.price
    low = min(low, trade.price)
    high = max(high, trade.price)
    volume += trade.quantity
  }
}

/// Public messages in Kraken's words (docs.kraken.com/api/docs/websocket-v2): a function of what
/// happened, without sockets.
struct KrakenVoice {
  /// The depths that may be subscribed.
  static let depths = [10, 25, 100, 500, 1_000]

  private let markets: [SimulatedMarket]
  private let mirrors: [MirroredBook]
  /// As told so far, so that a ticker depends on what came before it alone.
  private var traded: [TradedRange]
  private var views: [KrakenChannel: DepthView] = [:]
  private var paths: [KrakenChannel: FaultyPath<[UInt8]>] = [:]
  /// Channels with messages that were lost or are held back: what their subscribers hold meanwhile.
  private var behind: [KrakenChannel: (view: DepthView, fault: BookFault)] = [:]
  private var orderVoice: KrakenOrderVoice

  init(_ exchange: borrowing SimulatedExchange) {
    markets = exchange.markets.map(\.settings)
    mirrors = exchange.markets.map(MirroredBook.init)
    orderVoice = KrakenOrderVoice(exchange.markets.map(\.settings))
    traded = exchange.markets.map { TradedRange($0.settings.anchor) }
  }

  /// What a new subscriber of a book gets; from now on its depth is told.
  mutating func bookSnapshot(market: Int, depth: Int) -> [UInt8] {
    let channel = KrakenChannel.book(market: market, depth: depth)
    let view = views[channel] ?? DepthView(depth: depth, mirrors[market].book)
    views[channel] = view
    return bookMessage(
      "snapshot", market, bids: view.bids, asks: view.asks, checksum: checksum(view, market),
      time: nil)
  }

  /// What a new subscriber of a book by orders gets; from now on its depth is told.
  mutating func orderSnapshot(
    market: Int, depth: Int, _ exchange: borrowing SimulatedExchange
  ) -> [UInt8] {
    let engine = exchange.markets[market].engine
    return orderVoice.snapshot(
      market, depth, engine.orders(.buy), engine.orders(.sell), exchange.now)
  }

  /// Of other channels nobody hears any more.
  mutating func keep(_ heard: Set<KrakenChannel>) {
    views = views.filter { heard.contains($0.key) }
    paths = paths.filter { heard.contains($0.key) }
    behind = behind.filter { heard.contains($0.key) }
    orderVoice.keep(heard)
  }

  mutating func messages(
    of delivery: Delivery, _ exchange: borrowing SimulatedExchange
  ) -> [(channel: KrakenChannel, payload: [UInt8])] {
    let time = delivery.happening.time
    switch delivery.happening.what {
    case .window(let market, .depthFast, let window):
      mirrors[market].apply(window)
      return bookMessages(market, delivery.fault, time)
    case .trade(let market, let trade):
      traded[market].add(trade)
      return [(.trade(market: market), tradeMessage("update", [trade], market))]
    case .top(let market, _, let bid, let ask):
      return [(.ticker(market: market), ticker("update", market, bid: bid, ask: ask))]
    case .status(let market):
      return [(.instrument, instruments("update", [exchange.markets[market]], withAssets: false))]
    case .orders(let market, let bids, let asks):
      return orderVoice.messages(market, bids, asks, delivery.fault, time)
    case .window, .report, .balances, .recorded, .maintenance: return []
    }
  }

  private mutating func bookMessages(
    _ market: Int, _ fault: BookFault?, _ time: Instant
  ) -> [(channel: KrakenChannel, payload: [UInt8])] {
    var messages: [(channel: KrakenChannel, payload: [UInt8])] = []
    for depth in Self.depths {
      let channel = KrakenChannel.book(market: market, depth: depth)
      guard var view = views[channel] else { continue }
      let before = view
      var (bids, asks) = view.update(mirrors[market].book)
      views[channel] = view
      guard !bids.isEmpty || !asks.isEmpty else { continue }
      let fault = lasting(fault, channel, before, checksum(view, market), (bids, asks))
      if fault == .crossed, let ask = view.asks.first {
        bids.append(PriceLevel(price: Price(ask.price.raw + 1), quantity: ask.quantity))
        // Of the book that is shown, so that a crossed one is not just a wrong checksum.
        view = view.applying(bids, asks)
      }
      var sum = checksum(view, market)
      if fault == .badChecksum { sum ^= 1 }
      let payload = bookMessage(
        "update", market, bids: bids, asks: asks, checksum: sum, time: time)
      for message in paths[channel, default: FaultyPath()].pass([payload], fault) {
        messages.append((channel, message))
      }
    }
    return messages
  }

  /// What goes wrong with a message of a channel. The checksum covers ten levels a side: a loss below
  /// them shows to nobody, so one that the next message would not show goes on with that message.
  private mutating func lasting(
    _ fault: BookFault?, _ channel: KrakenChannel, _ before: DepthView, _ sum: UInt32,
    _ changes: (bids: [PriceLevel], asks: [PriceLevel])
  ) -> BookFault? {
    guard case .book(let market, _) = channel else { return fault }
    if let fault, fault == .gap || fault == .reorder {
      behind[channel] = (behind[channel]?.view ?? before, fault)
      return fault
    }
    guard let (held, lasting) = behind[channel] else { return fault }
    guard checksum(held.applying(changes.bids, changes.asks), market) == sum else {
      behind[channel] = nil
      return fault
    }
    return fault ?? lasting
  }

  func checksum(_ view: DepthView, _ market: Int) -> UInt32 {
    markets[market].krakenChecksum(bids: view.bids, asks: view.asks)
  }

  private func bookMessage(
    _ type: String, _ market: Int, bids: [PriceLevel], asks: [PriceLevel], checksum: UInt32,
    time: Instant?
  ) -> [UInt8] {
    message("book", type) { json in
      json.object { json in
        json.member("symbol", markets[market].symbol)
        for (name, levels) in [("bids", bids), ("asks", asks)] {
          json.name(name)
          json.array { json in
            for level in levels {
              json.object { json in
                json.member("price", number: markets[market].krakenText(level.price))
                json.member("qty", number: markets[market].krakenText(level.quantity))
              }
            }
          }
        }
        json.member("checksum", checksum)
        if let time { json.member("timestamp", time.krakenText) }
      }
    }
  }

  func tradeMessage(_ type: String, _ trades: [PublicTrade], _ market: Int) -> [UInt8] {
    message("trade", type) { json in
      for trade in trades {
        json.object { json in
          json.member("symbol", markets[market].symbol)
          json.member("side", trade.aggressor == .buy ? "buy" : "sell")
          json.member("price", number: markets[market].krakenText(trade.price))
          json.member("qty", number: markets[market].krakenText(trade.quantity))
          json.member("ord_type", "market")
          json.member("trade_id", trade.id)
          json.member("timestamp", trade.time.krakenText)
        }
      }
    }
  }

  func ticker(_ type: String, _ market: Int, bid: PriceLevel?, ask: PriceLevel?) -> [UInt8] {
    let settings = markets[market]
    let traded = traded[market]
    return message("ticker", type) { json in
      json.object { json in
        json.member("symbol", settings.symbol)
        json.member("bid", number: settings.krakenText(bid?.price ?? .zero))
        json.member("bid_qty", number: settings.krakenText(bid?.quantity ?? .zero))
        json.member("ask", number: settings.krakenText(ask?.price ?? .zero))
        json.member("ask_qty", number: settings.krakenText(ask?.quantity ?? .zero))
        json.member("last", number: settings.krakenText(traded.last))
        json.member("volume", number: settings.krakenText(traded.volume))
        json.member("low", number: settings.krakenText(traded.low))
        json.member("high", number: settings.krakenText(traded.high))
        json.member(
          "change", number: settings.krakenText(Price(traded.last.raw - traded.first.raw)))
      }
    }
  }

  func instruments(
    _ type: String, _ markets: [ExchangeMarket], withAssets: Bool
  ) -> [UInt8] {
    var json = JSONWriter(reserving: 1_024)
    json.object { json in
      json.member("channel", "instrument")
      json.member("type", type)
      json.name("data")
      json.object { json in
        json.name("assets")
        json.array { json in
          guard withAssets else { return }
          let assets = Set(
            markets.flatMap { [$0.settings.instrument.base, $0.settings.instrument.quote] })
          for asset in assets.sorted() {
            json.object { json in
              json.member("id", asset)
              json.member("status", "enabled")
              json.member("precision", 8)
              json.member("precision_display", 8)
              json.member("borrowable", false)
            }
          }
        }
        json.name("pairs")
        json.array { json in for market in markets { pair(market, &json) } }
      }
    }
    return json.finished()
  }

  private func pair(_ market: ExchangeMarket, _ json: inout JSONWriter) {
    let settings = market.settings
    let instrument = settings.instrument
    json.object { json in
      json.member("symbol", settings.symbol)
      json.member("base", instrument.base)
      json.member("quote", instrument.quote)
      json.member("status", market.isHalted ? "cancel_only" : "online")
      json.member("qty_precision", instrument.quantityScale)
      json.member("qty_increment", number: settings.krakenText(instrument.lotSize))
      json.member("price_precision", instrument.priceScale)
      json.member("cost_precision", 5)
      json.member("marginable", false)
      json.member("has_index", false)
      json.member("cost_min", number: settings.krakenText(instrument.minNotional))
      json.member("price_increment", number: settings.krakenText(instrument.tickSize))
      json.member("tick_size", number: settings.krakenText(instrument.tickSize))
      json.member("qty_min", number: settings.krakenText(instrument.minQuantity))
    }
  }

  private func message(
    _ channel: String, _ type: String, _ data: (inout JSONWriter) -> Void
  ) -> [UInt8] {
    var json = JSONWriter(reserving: 512)
    json.object { json in
      json.member("channel", channel)
      json.member("type", type)
      json.name("data")
      json.array { json in data(&json) }
    }
    return json.finished()
  }
}
