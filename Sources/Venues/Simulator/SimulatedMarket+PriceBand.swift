internal import JSON
internal import Units
internal import Venue

extension ExchangeMarket {
  /// What prices are measured against: that of the last trade, before it the middle of the book.
  var reference: Price? {
    if let last = recentTrades.last { return last.price }
    guard let bid = engine.best(.buy), let ask = engine.best(.sell) else { return nil }
    return Price((bid.price.raw + ask.price.raw) / 2)
  }
}

/// A market whose instrument has a price band takes no price outside of it.
extension SimulatedMarket {
  func bounds(_ side: Side, around reference: Price?) -> ClosedRange<Price>? {
    guard let band = instrument.priceBand, let reference else { return nil }
    func multiple(_ factor: Decimal) -> Price {
      Price(Int64(Int128(reference.raw) * Int128(factor.units) / Int128(powerOfTen(factor.scale)!)))
    }
    switch side {
    case .buy: return multiple(band.buyLowest)...multiple(band.buyHighest)
    case .sell: return multiple(band.sellLowest)...multiple(band.sellHighest)
    }
  }

  /// The filter in exchangeInfo (filters.md, "PERCENT_PRICE_BY_SIDE").
  func writePriceBandFilter(to json: inout JSONWriter) {
    guard let band = instrument.priceBand else { return }
    json.object { json in
      json.member("filterType", "PERCENT_PRICE_BY_SIDE")
      json.member("bidMultiplierUp", band.buyHighest.description)
      json.member("bidMultiplierDown", band.buyLowest.description)
      json.member("askMultiplierUp", band.sellHighest.description)
      json.member("askMultiplierDown", band.sellLowest.description)
      json.member("avgPriceMins", 0)
    }
  }
}
