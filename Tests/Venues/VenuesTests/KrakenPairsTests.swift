import JSON
import TestKit
import Testing
import Units
import Venue

@testable import Venues

@Suite struct `Kraken's pairs` {
  static let body = #"""
    {"error":[],"result":{
    "XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","base":"XXBT","quote":"ZUSD",
    "pair_decimals":1,"cost_decimals":5,"lot_decimals":8,"lot_multiplier":1,
    "fees":[[0,0.40],[10000,0.35]],"fees_maker":[[0,0.25],[10000,0.20]],
    "ordermin":"0.00005","costmin":"0.5","tick_size":"0.1","status":"online"},
    "XDGUSD":{"altname":"XDGUSD","wsname":"XDG/USD","base":"XXDG","quote":"ZUSD",
    "pair_decimals":7,"lot_decimals":8,"fees":[[0,0.4]],"fees_maker":[[0,0.25]],
    "ordermin":"13","costmin":"0.5","tick_size":"0.0000001","status":"post_only"},
    "XBTUSD.d":{"altname":"XBTUSD.d","base":"XXBT","quote":"ZUSD"}}}
    """#

  @Test func `MD-06 instruments have our symbols and the venue's rules`() throws {
    let instruments = try KrakenPairs.instruments(
      Array(Self.body.utf8), symbols: ["BTCUSD", "NOPE", "DOGEUSD"], venue: VenueID("kraken"))
    #expect(instruments.map(\.symbol) == ["BTCUSD", "DOGEUSD"])
    #expect(instruments.map(\.venueSymbol) == ["BTC/USD", "DOGE/USD"])
    #expect(instruments.map(\.id.index) == [0, 1])
    let bitcoin = instruments[0]
    #expect(bitcoin.priceScale == 1 && bitcoin.quantityScale == 8)
    #expect(bitcoin.tickSize == Price(1) && bitcoin.lotSize == Quantity(1))
    #expect(bitcoin.minQuantity == Quantity(5_000))
    #expect(try bitcoin.decimal(bitcoin.minNotional) == Decimal(units: 5, scale: 1))
    #expect(
      bitcoin.fees
        == FeeSchedule(maker: Decimal(units: 25, scale: 4), taker: Decimal(units: 4, scale: 3)))
    #expect(bitcoin.isTrading && !instruments[1].isTrading)
    #expect(!bitcoin.features.contains(.fok) && bitcoin.features.contains(.amend))
  }

  @Test func `names of assets and pairs are one in all of Kraken's ways`() {
    #expect(KrakenAssets.canonical("XXBT") == "BTC" && KrakenAssets.canonical("ZUSD") == "USD")
    #expect(KrakenAssets.canonical("XTZ") == "XTZ" && KrakenAssets.canonical("XBT.F") == "XBT.F")
    #expect(KrakenAssets.restPair("BTC/USD") == "XBTUSD")
    #expect(KrakenAssets.restPair("ETH/BTC") == "ETHXBT")
    for spelling in ["XXBTZUSD", "XBTUSD", "XBT/USD", "BTC/USD", "BTCUSD"] {
      #expect(KrakenAssets.means(spelling, "BTC/USD"))
    }
    for spelling in ["XBTEUR", "XXBTZUSDT", "XBTUSDT", "", "USDBTC"] {
      #expect(!KrakenAssets.means(spelling, "BTC/USD"))
    }
  }

  @Test(.enabled(if: RecordedData.isPresent("kraken"), "no recorded data beside the package"))
  func `MD-07 every pair of a recorded listing is an instrument, and REST's name of it is right`()
    throws
  {
    let text = try KrakenCapture.answer("rest_AssetPairs_20210417_KRAKEN.0")
    var symbols: [String] = []
    var names: [(String, String, String)] = []
    for member in try JSONDocument(parsing: text).root.object("result") {
      guard let name = member.value["wsname"]?.string, let pair = KrakenAssets.pair(name) else {
        continue
      }
      symbols.append(pair.base + pair.quote)
      names.append(
        ("\(pair.base)/\(pair.quote)", try member.value.string("altname"), member.name))
    }
    let instruments = try KrakenPairs.instruments(
      text, symbols: symbols, venue: VenueID("kraken"))
    print("\(instruments.count) of \(symbols.count) pairs are instruments")
    #expect(instruments.count == symbols.count && symbols.count > 290)
    for (symbol, altname, key) in names {
      #expect(KrakenAssets.restPair(symbol) == altname)
      #expect(KrakenAssets.means(key, symbol) && KrakenAssets.means(altname, symbol))
    }
  }
}
