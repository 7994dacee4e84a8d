internal import Bytes
internal import Chrono
internal import JSON
internal import OrderBook
internal import Units
internal import Venue

/// A public channel of OKX's WebSocket v5.
enum OKXChannel: Hashable {
  case books(market: Int)
  case books5(market: Int)
  case bestBidOffer(market: Int)
  case trades(market: Int)
  case tickers(market: Int)
  case instruments
  case status

  var name: String {
    switch self {
    case .books: "books"
    case .books5: "books5"
    case .bestBidOffer: "bbo-tbt"
    case .trades: "trades"
    case .tickers: "tickers"
    case .instruments: "instruments"
    case .status: "status"
    }
  }
}

/// Public messages in OKX's words (www.okx.com/docs-v5): a function of what happened, without
/// sockets.
struct OKXVoice {
  /// Levels of a side in the channel `books`.
  private static let depth = 400

  private let markets: [SimulatedMarket]
  private let mirrors: [MirroredBook]
  private var views: [DepthView]
  /// The id of the last message of `books` by market.
  private var sequences: [UInt64]
  private var paths: [FaultyPath<[UInt8]>]
  private let hasChecksums: Bool

  init(_ exchange: borrowing SimulatedExchange) {
    markets = exchange.markets.map(\.settings)
    let mirrors = exchange.markets.map(MirroredBook.init)
    self.mirrors = mirrors
    views = mirrors.map { DepthView(depth: Self.depth, $0.book) }
    sequences = exchange.markets.map(\.lastUpdateID)
    paths = exchange.markets.map { _ in FaultyPath() }
    hasChecksums = exchange.settings.hasOKXChecksums
  }

  func bookSnapshot(market: Int, time: Instant) -> [UInt8] {
    let view = views[market]
    return message(.books(market: market), action: "snapshot") { json in
      writeBook(
        view.bids, view.asks, market, time, sequence: sequences[market], previous: -1,
        checksum: checksum(view, market), &json)
    }
  }

  mutating func messages(
    of delivery: Delivery, _ exchange: borrowing SimulatedExchange
  ) -> [(channel: OKXChannel, payload: [UInt8])] {
    let time = delivery.happening.time
    switch delivery.happening.what {
    case .window(let market, .depthFast, let window):
      mirrors[market].apply(window)
      return bookMessages(market, window.last, delivery.fault, time)
    case .trade(let market, let trade):
      return [(.trades(market: market), trades(market, [trade]))]
    case .top(let market, let updateID, let bid, let ask):
      let channel = OKXChannel.bestBidOffer(market: market)
      let payload = message(channel) { json in
        json.object { json in
          writeSides([bid].compactMap(\.self), [ask].compactMap(\.self), market, &json)
          json.member("ts", String(time.milliseconds))
          json.member("seqId", updateID)
        }
      }
      return [(channel, payload), (.tickers(market: market), ticker(market, bid, ask, time))]
    case .status(let market):
      return [
        (
          .instruments,
          message(.instruments) { json in
            exchange.okxInstrument(market, &json)
          }
        )
      ]
    case .maintenance(let maintenance):
      return [(.status, status(maintenance, time))]
    case .window, .orders, .report, .balances, .recorded: return []
    }
  }

  private mutating func bookMessages(
    _ market: Int, _ updateID: UInt64, _ fault: BookFault?, _ time: Instant
  ) -> [(channel: OKXChannel, payload: [UInt8])] {
    var found: [(channel: OKXChannel, payload: [UInt8])] = []
    var (bids, asks) = views[market].update(mirrors[market].book)
    let view = views[market]
    if !bids.isEmpty || !asks.isEmpty {
      if fault == .crossed, let ask = view.asks.first {
        bids.append(PriceLevel(price: Price(ask.price.raw + 1), quantity: ask.quantity))
      }
      // Of the book that is shown, so that a crossed one is not just a wrong checksum.
      let shown = fault == .crossed ? view.applying(bids, asks) : view
      let previous = Int64(sequences[market])
      sequences[market] = updateID
      var sum = checksum(shown, market)
      if fault == .badChecksum { sum ^= 1 }
      let payload = message(.books(market: market), action: "update") { json in
        writeBook(
          bids, asks, market, time, sequence: updateID, previous: previous, checksum: sum, &json)
      }
      for message in paths[market].pass([payload], fault) {
        found.append((.books(market: market), message))
      }
    }
    guard fault != .gap else { return found }
    let five = message(.books5(market: market)) { json in
      json.object { json in
        writeSides(Array(view.bids.prefix(5)), Array(view.asks.prefix(5)), market, &json)
        json.member("ts", String(time.milliseconds))
        json.member("seqId", updateID)
      }
    }
    return found + [(.books5(market: market), five)]
  }

  /// 0 where the exchange no longer gives it.
  private func checksum(_ view: DepthView, _ market: Int) -> Int32 {
    hasChecksums ? markets[market].okxChecksum(bids: view.bids, asks: view.asks) : 0
  }

  private func writeBook(
    _ bids: [PriceLevel], _ asks: [PriceLevel], _ market: Int, _ time: Instant, sequence: UInt64,
    previous: Int64, checksum: Int32, _ json: inout JSONWriter
  ) {
    json.object { json in
      writeSides(bids, asks, market, &json)
      json.member("ts", String(time.milliseconds))
      json.member("checksum", Int64(checksum))
      json.member("seqId", sequence)
      json.member("prevSeqId", previous)
    }
  }

  private func writeSides(
    _ bids: [PriceLevel], _ asks: [PriceLevel], _ market: Int, _ json: inout JSONWriter
  ) {
    for (name, levels) in [("asks", asks), ("bids", bids)] {
      json.name(name)
      json.array { json in
        for level in levels { markets[market].writeOKX(level, &json) }
      }
    }
  }

  /// The best of both sides; a side that is empty has empty texts, as OKX sends them.
  private func ticker(
    _ market: Int, _ bid: PriceLevel?, _ ask: PriceLevel?, _ time: Instant
  ) -> [UInt8] {
    let settings = markets[market]
    return message(.tickers(market: market)) { json in
      json.object { json in
        json.member("instType", "SPOT")
        json.member("instId", settings.symbol)
        json.member("askPx", ask.map { settings.okxText($0.price) } ?? "")
        json.member("askSz", ask.map { settings.okxText($0.quantity) } ?? "")
        json.member("bidPx", bid.map { settings.okxText($0.price) } ?? "")
        json.member("bidSz", bid.map { settings.okxText($0.quantity) } ?? "")
        json.member("ts", String(time.milliseconds))
      }
    }
  }

  func status(_ maintenance: Maintenance, _ now: Instant) -> [UInt8] {
    message(.status) { json in maintenance.writeOKX(now, &json) }
  }

  func trades(_ market: Int, _ trades: [PublicTrade]) -> [UInt8] {
    message(.trades(market: market)) { json in
      for trade in trades { markets[market].writeOKX(trade, &json) }
    }
  }

  func message(
    _ channel: OKXChannel, action: String? = nil, _ data: (inout JSONWriter) -> Void
  ) -> [UInt8] {
    var json = JSONWriter(reserving: 1_024)
    json.object { json in
      json.name("arg")
      json.object { json in
        json.member("channel", channel.name)
        switch channel {
        case .books(let market), .books5(let market), .bestBidOffer(let market),
          .trades(let market), .tickers(let market):
          json.member("instId", markets[market].symbol)
        case .instruments: json.member("instType", "SPOT")
        case .status: break
        }
      }
      if let action { json.member("action", action) }
      json.name("data")
      json.array { json in data(&json) }
    }
    return json.finished()
  }
}

extension SimulatedMarket {
  /// Price, size, a retired zero, and how many orders: at least one.
  func writeOKX(_ level: PriceLevel, _ json: inout JSONWriter) {
    json.array { json in
      json.string(okxText(level.price))
      json.string(okxText(level.quantity))
      json.string("0")
      json.string(level.quantity == .zero ? "0" : "1")
    }
  }

  func writeOKX(_ trade: PublicTrade, _ json: inout JSONWriter) {
    json.object { json in
      json.member("instId", symbol)
      json.member("tradeId", String(trade.id))
      json.member("px", okxText(trade.price))
      json.member("sz", okxText(trade.quantity))
      json.member("side", trade.aggressor == .buy ? "buy" : "sell")
      json.member("ts", String(trade.time.milliseconds))
    }
  }
}

extension Maintenance {
  /// An element of `system/status` and of the channel `status`, of trading as a whole.
  func writeOKX(_ now: Instant, _ json: inout JSONWriter) {
    json.object { json in
      json.member("title", "Spot trading system upgrade")
      json.member("state", isOngoing(now) ? "ongoing" : "completed")
      json.member("begin", String(begin.milliseconds))
      json.member("end", String(end.milliseconds))
      json.member("preOpenBegin", "")
      json.member("href", "")
      json.member("serviceType", "5")
      json.member("system", "unified")
      json.member("scheDesc", "")
      json.member("maintType", "2")
      json.member("env", "1")
      json.member("ts", String(now.milliseconds))
    }
  }
}

extension SimulatedExchange {
  func okxInstrument(_ index: Int, _ json: inout JSONWriter) {
    let market = markets[index].settings
    let instrument = market.instrument
    json.object { json in
      json.member("instType", "SPOT")
      json.member("instId", market.symbol)
      json.member("baseCcy", instrument.base)
      json.member("quoteCcy", instrument.quote)
      json.member("tickSz", market.okxText(instrument.tickSize))
      json.member("lotSz", market.okxText(instrument.lotSize))
      json.member("minSz", market.okxText(instrument.minQuantity))
      json.member("maxLmtSz", market.okxText(instrument.maxQuantity))
      json.member("maxMktSz", market.okxText(instrument.maxQuantity))
      json.member("state", markets[index].isHalted ? "suspend" : "live")
    }
  }
}
