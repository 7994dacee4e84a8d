internal import Chrono
internal import JSON
internal import Units
internal import Venue

/// GET Trades: what has traded after a moment, oldest first, at most a thousand
/// (docs.kraken.com/api/docs/rest-api/get-recent-trades). Rows are price, volume, time, side, order
/// type, miscellaneous and id; `last` is the moment to go on from.
extension SimulatedExchange {
  private static let krakenTradesMax = 1_000

  func krakenTrades(
    _ pair: String?, since: String?, count: String?
  ) throws(KrakenError) -> [UInt8] {
    let market = markets[try krakenMarket(pair)]
    let most = try number(count, "count") ?? Int64(Self.krakenTradesMax)
    guard (1...Int64(Self.krakenTradesMax)).contains(most) else { throw .invalid("count") }
    let recent: [PublicTrade]
    if let start = try number(since, "since") {
      // Whole seconds or nanoseconds, as both are taken.
      let start = start < 10_000_000_000 ? start * 1_000_000_000 : start
      recent = Array(
        market.recentTrades.lazy.filter { $0.time.nanoseconds > start }.prefix(Int(most)))
    } else {
      recent = market.recentTrades.suffix(Int(most))
    }
    let settings = market.settings
    var json = JSONWriter(reserving: 96 * recent.count + 64)
    json.object { json in
      json.name(settings.krakenPairName)
      json.array { json in
        for trade in recent {
          json.array { json in
            json.string(settings.krakenText(trade.price))
            json.string(settings.krakenText(trade.quantity))
            json.number(text: trade.time.krakenSeconds)
            json.string(trade.aggressor == .buy ? "b" : "s")
            json.string("m")
            json.string("")
            json.integer(Int64(clamping: trade.id))
          }
        }
      }
      json.member("last", String(recent.last?.time.nanoseconds ?? 0))
    }
    return json.finished()
  }

  private func number(_ text: String?, _ field: String) throws(KrakenError) -> Int64? {
    guard let text else { return nil }
    guard let number = Int64(text), number >= 0 else { throw .invalid(field) }
    return number
  }
}
