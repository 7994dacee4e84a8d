internal import Chrono
internal import JSON
internal import OrderBook
internal import Units
internal import Venue

/// GET /api/v3/exchangeInfo: the rules that clients build their instruments from.
extension SimulatedExchange {
  func exchangeInformation(
    _ parameters: RequestParameters, _ venueTime: Instant
  ) throws(DialectError) -> Body {
    var chosen = Array(markets.indices)
    if parameters["symbol"] != nil { chosen = [try market(parameters)] }
    if let list = parameters["symbols"] { chosen = try listed(list) }
    return object { json in
      json.member("timezone", "UTC")
      json.member("serverTime", venueTime.milliseconds)
      json.name("rateLimits")
      json.array { json in
        writeLimit("REQUEST_WEIGHT", "MINUTE", 1, settings.requestWeightPerMinuteMax, &json)
        writeLimit("ORDERS", "SECOND", 10, settings.ordersPerTenSecondsMax, &json)
      }
      json.name("exchangeFilters")
      json.array { _ in }
      json.name("symbols")
      json.array { json in
        for index in chosen { write(listing: markets[index], to: &json) }
      }
    }
  }

  /// `["BTCUSDT","ETHUSDT"]`
  private func listed(_ text: String) throws(DialectError) -> [Int] {
    let document: JSONDocument
    do throws(JSONError) {
      document = try JSONDocument(parsing: text)
    } catch {
      throw DialectError(-1135, "JSON sent for parameter 'symbols' is not valid")
    }
    guard let symbols = document.root.array else {
      throw DialectError(-1135, "JSON sent for parameter 'symbols' is not valid")
    }
    var found: [Int] = []
    for symbol in symbols {
      guard let index = symbol.string.flatMap({ marketBySymbol[$0] }) else { throw .invalidSymbol }
      found.append(index)
    }
    return found
  }

  private func writeLimit(
    _ type: String, _ interval: String, _ count: Int, _ limit: Int, _ json: inout JSONWriter
  ) {
    json.object { json in
      json.member("rateLimitType", type)
      json.member("interval", interval)
      json.member("intervalNum", count)
      json.member("limit", limit)
    }
  }

  private func write(listing market: ExchangeMarket, to json: inout JSONWriter) {
    let instrument = market.settings.instrument
    json.object { json in
      json.member("symbol", market.settings.symbol)
      json.member("status", market.isHalted ? "HALT" : "TRADING")
      json.member("baseAsset", instrument.base)
      json.member("baseAssetPrecision", 8)
      json.member("quoteAsset", instrument.quote)
      json.member("quotePrecision", 8)
      json.member("quoteAssetPrecision", 8)
      json.member("baseCommissionPrecision", 8)
      json.member("quoteCommissionPrecision", 8)
      json.name("orderTypes")
      json.array { json in
        for type in ["LIMIT", "LIMIT_MAKER", "MARKET"] { json.string(type) }
        guard !market.engine.isPlayback else { return }
        for type in ["STOP_LOSS", "STOP_LOSS_LIMIT"] { json.string(type) }
      }
      json.member("icebergAllowed", !market.engine.isPlayback)
      for flag in [
        "ocoAllowed", "otoAllowed", "quoteOrderQtyMarketAllowed",
        "allowTrailingStop",
      ] {
        json.member(flag, false)
      }
      json.member("cancelReplaceAllowed", true)
      json.member("amendAllowed", true)
      json.member("isSpotTradingAllowed", true)
      json.member("isMarginTradingAllowed", false)
      json.name("filters")
      json.array { json in writeFilters(market.settings, to: &json) }
      json.name("permissions")
      json.array { _ in }
      json.name("permissionSets")
      json.array { json in json.array { json in json.string("SPOT") } }
      json.member(
        "defaultSelfTradePreventionMode", settings.defaultSelfTradePrevention.binanceText)
      json.name("allowedSelfTradePreventionModes")
      json.array { json in
        for mode in SelfTradePrevention.allCases { json.string(mode.binanceText) }
      }
    }
  }

  private func writeFilters(_ market: SimulatedMarket, to json: inout JSONWriter) {
    let instrument = market.instrument
    json.object { json in
      json.member("filterType", "PRICE_FILTER")
      json.member("minPrice", market.text(instrument.tickSize))
      json.member("maxPrice", market.text(market.maxPrice))
      json.member("tickSize", market.text(instrument.tickSize))
    }
    json.object { json in
      json.member("filterType", "LOT_SIZE")
      json.member("minQty", market.text(instrument.minQuantity))
      json.member("maxQty", market.text(instrument.maxQuantity))
      json.member("stepSize", market.text(instrument.lotSize))
    }
    json.object { json in
      json.member("filterType", "NOTIONAL")
      json.member("minNotional", market.text(instrument.minNotional))
      json.member("applyMinToMarket", true)
      json.member("maxNotional", market.text(market.maxNotional))
      json.member("applyMaxToMarket", false)
      json.member("avgPriceMins", 0)
    }
    json.object { json in
      json.member("filterType", "ICEBERG_PARTS")
      json.member("limit", settings.icebergPartsMax)
    }
    market.writePriceBandFilter(to: &json)
  }
}
