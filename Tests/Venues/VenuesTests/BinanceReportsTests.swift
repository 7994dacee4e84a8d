import Bytes
import Chrono
import Foundation
import JSON
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

@Suite struct `Binance reports` {
  private let instruments = InstrumentDirectory(
    ["BTCUSDT", "ETHBTC", "LTCBTC", "BNBBTC"].enumerated().map { index, symbol in
      Instrument(
        id: InstrumentID(Int32(index)), venue: VenueID("binance"), symbol: symbol,
        venueSymbol: symbol, base: String(symbol.prefix(3)), quote: String(symbol.dropFirst(3)),
        priceScale: 8, quantityScale: 8, tickSize: Price(1), lotSize: Quantity(1),
        minQuantity: Quantity(1), maxQuantity: Quantity(1_000), minNotional: .zero)
    })

  private var reports: BinanceReports { BinanceReports(instruments) }

  private static let folder = "private/binance_net/"
  private static let isPresent = RecordedData.isPresent(folder)

  /// The JSON of a documented answer, without the lines before it.
  private func documented(_ name: String) throws -> [UInt8] {
    let path = try #require(RecordedData.path(Self.folder + name))
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    if name.hasPrefix("Endpoints") { return Array(lines.dropFirst(3).joined(separator: "\n").utf8) }
    let mark = try #require(lines.firstIndex { $0.hasPrefix("=") })
    return Array(lines[mark...].joined(separator: "\n").dropFirst().utf8)
  }

  @Test(.enabled(if: isPresent, "recorded data is absent: documented answers cannot be read"))
  func `documented order answers are understood`() throws {
    let orders = "Endpoints/Spot/Trading/"
    let placed = try reports.order(
      JSONDocument(parsing: documented(orders + "PlaceOrder.txt")).root)
    let cancelled = try reports.order(
      JSONDocument(parsing: documented(orders + "CancelOrder.txt")).root)
    let open = try reports.orders(documented(orders + "GetOpenOrders.txt")).rows
    let fills = try reports.fills(documented(orders + "GetUserTrades.txt")).list.rows
    let balances = try reports.balances(documented("Endpoints/Spot/Account/GetAccountInfo.txt"))

    #expect(placed.status == .filled && placed.filledQuantity == Quantity(1_000_000_000))
    #expect(placed.clientOrderID == "6gCrw2kRUAF9CvJDGP16IP" && placed.venueOrderID == "28")
    // A cancel's own id is not the order's.
    #expect(cancelled.clientOrderID == "myOrder1" && cancelled.status == .cancelled)
    #expect(open.map(\.status) == [.new])
    #expect(fills[0].fill.executionID == "28457" && fills[0].fill.feeAsset == "BNB")
    #expect(fills[0].fill.fee == (try Decimal(parsing: "10.1")))
    #expect(balances.map(\.asset) == ["BTC", "LTC"])
  }

  @Test(.enabled(if: isPresent, "recorded data is absent: documented events cannot be read"))
  func `documented private events are understood`() throws {
    let account = "Subscriptions/Spot/Account/"
    let order = try reports.event(JSONDocument(parsing: documented(account + "Order.txt")).root)
    let position = try reports.event(
      JSONDocument(parsing: documented(account + "AccountPosition.txt")).root)

    guard case .report(let report) = order, case .balances(let balances) = position else {
      Issue.record("\(String(describing: order)) and \(String(describing: position))")
      return
    }
    #expect(report.instrument == InstrumentID(1) && report.venueOrderID == "4293153")
    #expect(report.status == .new && report.fill == nil && report.rejectReason == nil)
    #expect(balances.map(\.asset) == ["ETH"])
    #expect(balances[0].free == Decimal(units: 10_000, scale: 0))
  }

  @Test func `an instrument's scales keep what old orders in the book may show`() throws {
    let body = """
      {"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT",
      "baseAssetPrecision":8,"filters":[
      {"filterType":"PRICE_FILTER","minPrice":"0.01000000","maxPrice":"1000000.00000000","tickSize":"0.01000000"},
      {"filterType":"LOT_SIZE","minQty":"0.00001000","maxQty":"9000.00000000","stepSize":"0.00001000"},
      {"filterType":"MIN_NOTIONAL","minNotional":"10.00000000","applyToMarket":true,"avgPriceMins":5}]},
      {"symbol":"SHIBUSDT","status":"BREAK","baseAsset":"SHIB","quoteAsset":"USDT",
      "baseAssetPrecision":8,"filters":[
      {"filterType":"PRICE_FILTER","minPrice":"0.00000001","maxPrice":"1.00000000","tickSize":"0.00000001"},
      {"filterType":"LOT_SIZE","minQty":"1.00","maxQty":"46116860414.00","stepSize":"1.00"}]}]}
      """
    let found = try BinanceSymbols.instruments(
      Array(body.utf8), symbols: ["SHIBUSDT", "NOPE", "BTCUSDT"], venue: VenueID("binance"))

    #expect(found.map(\.symbol) == ["SHIBUSDT", "BTCUSDT"])
    #expect(found.map(\.id.index) == [0, 1])
    #expect(found[1].priceScale == 2 && found[1].quantityScale == 8)
    #expect(found[1].lotSize == Quantity(1_000) && found[1].tickSize == Price(1))
    #expect(found[1].minNotional == Notional(10 * 10_000_000_000))
    #expect(!found[0].isTrading && found[0].minNotional == .zero)
    // A thousand of the largest orders must fit 64 bits.
    #expect(found[0].quantityScale == 5)
  }

  @Test func `changed bytes are refused or read, never a crash`() {
    let frames = [
      #"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[["1.5","2"]],"a":[["2","0.00000001"]]}}"#,
      #"{"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"1","q":"2","T":3,"m":true,"M":true}"#,
      #"{"u":1,"s":"BTCUSDT","b":"1","B":"2","a":"3","A":"4"}"#,
      #"{"e":"executionReport","s":"BTCUSDT","c":"a","C":"","x":"TRADE","X":"NEW","r":"NONE","i":1,"l":"1","z":"1","L":"1","n":"0","N":null,"T":1,"t":-1,"m":false}"#,
    ]
    var codec = BinanceCodec(.spot, instruments.all)
    var random = FlowRandom(seed: 20_240_808)
    var read = 0
    for _ in 0..<4_000 {
      var bytes = Array(frames[Int(random.below(Int64(frames.count)))].utf8)
      for _ in 0...random.below(3) {
        bytes[Int(random.below(Int64(bytes.count)))] = UInt8(random.below(256))
      }
      if random.below(4) == 0 { bytes.removeLast(Int(random.below(Int64(bytes.count)))) }
      if (try? codec.decode(bytes, received: .epoch)) != nil { read += 1 }
      if let message = try? JSONDocument(parsing: bytes).root { _ = try? reports.event(message) }
    }
    #expect(read > 0)
  }
}
