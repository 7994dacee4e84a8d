internal import Chrono
internal import JSON
internal import Units
internal import Venue

/// The public messages in Binance's words (web-socket-streams.md, rest-api.md).
extension SimulatedMarket {
  func bookTicker(updateID: UInt64, bid: PriceLevel?, ask: PriceLevel?) -> [UInt8] {
    let none = PriceLevel(price: .zero, quantity: .zero)
    let (bid, ask) = (bid ?? none, ask ?? none)
    var json = JSONWriter()
    json.object { json in
      json.member("u", updateID)
      json.member("s", symbol)
      json.member("b", text(bid.price))
      json.member("B", text(bid.quantity))
      json.member("a", text(ask.price))
      json.member("A", text(ask.quantity))
    }
    return json.finished()
  }

  func tradeEvent(_ trade: PublicTrade, now: Instant) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.member("e", "trade")
      json.member("E", now.milliseconds)
      json.member("s", symbol)
      json.member("t", trade.id)
      json.member("p", text(trade.price))
      json.member("q", text(trade.quantity))
      json.member("T", trade.time.milliseconds)
      // The buyer was the maker when the taker sold.
      json.member("m", trade.aggressor == .sell)
      json.member("M", true)
    }
    return json.finished()
  }

  func depthUpdate(_ window: DepthWindow, now: Instant) -> [UInt8] {
    var json = JSONWriter(reserving: 2_048)
    json.object { json in
      json.member("e", "depthUpdate")
      json.member("E", now.milliseconds)
      json.member("s", symbol)
      json.member("U", window.first)
      json.member("u", window.last)
      json.name("b")
      write(window.bids, to: &json)
      json.name("a")
      write(window.asks, to: &json)
    }
    return json.finished()
  }

  func depthSnapshot(updateID: UInt64, bids: [PriceLevel], asks: [PriceLevel]) -> [UInt8] {
    var json = JSONWriter(reserving: 64 * (bids.count + asks.count) + 64)
    json.object { json in
      json.member("lastUpdateId", updateID)
      json.name("bids")
      write(bids, to: &json)
      json.name("asks")
      write(asks, to: &json)
    }
    return json.finished()
  }

  /// An element of GET /api/v3/trades.
  func write(_ trade: PublicTrade, to json: inout JSONWriter) {
    json.object { json in
      json.member("id", trade.id)
      json.member("price", text(trade.price))
      json.member("qty", text(trade.quantity))
      json.member("quoteQty", text(trade.price * trade.quantity))
      json.member("time", trade.time.milliseconds)
      json.member("isBuyerMaker", trade.aggressor == .sell)
      json.member("isBestMatch", true)
    }
  }

  func writeBookTicker(bid: PriceLevel?, ask: PriceLevel?, to json: inout JSONWriter) {
    let none = PriceLevel(price: .zero, quantity: .zero)
    let (bid, ask) = (bid ?? none, ask ?? none)
    json.object { json in
      json.member("symbol", symbol)
      json.member("bidPrice", text(bid.price))
      json.member("bidQty", text(bid.quantity))
      json.member("askPrice", text(ask.price))
      json.member("askQty", text(ask.quantity))
    }
  }

  private func write(_ levels: [PriceLevel], to json: inout JSONWriter) {
    json.array { json in
      for level in levels {
        json.array { json in
          json.string(text(level.price))
          json.string(text(level.quantity))
        }
      }
    }
  }
}
