import Chrono
import JSON
import Telemetry
import TestKit
import Testing
import Units
import Venue

@testable import Venues

/// A venue may make its tick finer while we run: its numbers are told to the nearest that its instrument was
/// listed with, loudly, and no row takes the stream or the list with it.
@Suite struct `Numbers finer than listed` {
  private let counters = VenueCounters(MetricsRegistry(), venue: "test")
  private let lines = Heard<String>()
  private let now = Uptime(nanoseconds: 0)

  private var alarm: RowAlarm {
    let log = Log(
      LogSink(
        .function { [lines] in lines.hear(String(decoding: $0, as: UTF8.self)) }, level: .info),
      service: "test")
    return RowAlarm(VenueID("test"), counters, log)
  }

  private static func directory(_ symbol: String, _ venueSymbol: String) -> InstrumentDirectory {
    InstrumentDirectory([
      Instrument(
        id: InstrumentID(0), venue: VenueID("test"), symbol: symbol, venueSymbol: venueSymbol,
        base: "BTC", quote: "USDT", priceScale: 2, quantityScale: 3, tickSize: Price(1),
        lotSize: Quantity(1), minQuantity: Quantity(1), maxQuantity: Quantity(.max),
        minNotional: .zero)
    ])
  }

  private func heard(_ feed: some PrivateFeed, _ text: String) -> PrivateOutput {
    var output = PrivateOutput()
    feed.receive(Array(text.utf8), at: now, &output)
    return output
  }

  private func report(_ output: PrivateOutput) -> VenueReport? {
    if case .report(let report)? = output.events.first { report } else { nil }
  }

  private static func binance(price: String, quantity: String = "1.5") -> String {
    #"{"e":"executionReport","s":"BTCUSDT","c":"a","C":"","x":"TRADE","X":"PARTIALLY_FILLED","#
      + #""r":"NONE","i":1,"l":"\#(quantity)","z":"1.5","L":"\#(price)","n":"0","N":null,"#
      + #""T":1790000000000,"t":7,"m":false,"p":"100.00","q":"3"}"#
  }

  @Test func `Binance's fill of a finer tick is told to the nearest`() throws {
    let feed = BinanceAccountFeed(Self.directory("BTCUSDT", "BTCUSDT"), alarm)
    let prices = ["99.994", "99.995", "99.99500", "99.99"].map { text in
      report(heard(feed, Self.binance(price: text)))?.fill?.price
    }
    let fine = report(heard(feed, Self.binance(price: "99.99", quantity: "1.4996")))

    #expect(prices == [Price(99_99), Price(100_00), Price(100_00), Price(99_99)])
    #expect(fine?.fill?.quantity == Quantity(1_500))
    #expect(counters.finerNumbers.value == 4 && counters.unreadRows.value == 0)
    // The first, the second and the fourth.
    #expect(lines.count == 3)
    #expect(lines.all.first?.contains("finer than its instrument was listed") == true)
  }

  @Test(arguments: ["0.004", "1e5", "-1", "", "9223372036854775807", "0.0000000000000000001"])
  func `OMS-14 a number that nothing can be made of is a row that is asked for`(_ text: String) {
    let feed = BinanceAccountFeed(Self.directory("BTCUSDT", "BTCUSDT"), alarm)
    let bad = heard(feed, Self.binance(price: text))
    let good = heard(feed, Self.binance(price: "99.99"))

    #expect(bad.fault == nil && bad.events.isEmpty && bad.unread.count == 1)
    #expect(bad.wishes == [.askBalances])
    #expect(report(good)?.fill?.price == Price(99_99))
    #expect(counters.unreadRows.value == 1)
  }

  @Test func `Binance's lists tell finer orders and fills to the nearest`() throws {
    let reports = BinanceReports(Self.directory("BTCUSDT", "BTCUSDT"), alarm)
    let orders = try reports.orders(
      Array(
        (#"[{"symbol":"BTCUSDT","orderId":1,"clientOrderId":"c","price":"99.994","#
          + #""origQty":"2.0004","executedQty":"0.9996","status":"NEW","time":1790000000000}]"#)
          .utf8))
    let fills = try reports.fills(
      Array(
        (#"[{"symbol":"BTCUSDT","id":7,"orderId":1,"price":"99.996","qty":"1","commission":"0","#
          + #""commissionAsset":"BNB","isMaker":true,"time":1790000000000}]"#).utf8))

    let order = try #require(orders.rows.first)
    #expect(order.price == Price(99_99) && order.quantity == Quantity(2_000))
    #expect(order.filledQuantity == Quantity(1_000) && orders.isWhole)
    #expect(fills.list.rows.map(\.fill.price) == [Price(100_00)] && fills.list.isWhole)
    #expect(counters.finerNumbers.value == 4)
  }

  private static func okx(_ price: String, _ state: String = "partially_filled") -> String {
    #"{"instId":"BTC-USDT","clOrdId":"","ordId":"5","state":"\#(state)","px":"99.994","#
      + #""sz":"2","cancelSource":"","accFillSz":"1","uTime":"1790000000001","tradeId":"7","#
      + #""fillPx":"\#(price)","fillSz":"1","fillFee":"-0.1","fillFeeCcy":"BTC","execType":"M","#
      + #""fillTime":"1790000000000"}"#
  }

  @Test func `OKX's fill of a finer tick is told to the nearest, and a bad row ends nothing`()
    throws
  {
    let feed = OKXAccountFeed(Self.directory("BTCUSDT", "BTC-USDT"), alarm) { _ in [] }
    let rows = [Self.okx("99.996"), Self.okx("99.99", "wonderful"), Self.okx("99.99")]
    let output = heard(
      feed, #"{"arg":{"channel":"orders"},"data":[\#(rows.joined(separator: ","))]}"#)
    let prices = output.events.map { event in
      if case .report(let report) = event { report.fill?.price } else { Price?.none }
    }
    let balances = heard(
      feed, #"{"arg":{"channel":"account"},"data":[{"details":[{"ccy":"BTC"}]}]}"#)

    #expect(prices == [Price(100_00), Price(99_99)])
    #expect(output.fault == nil && output.unread.count == 1)
    #expect(balances.fault == nil && balances.wishes == [.askBalances])
    #expect(counters.finerNumbers.value == 3 && counters.unreadRows.value == 2)
  }

  @Test func `Kraken's fill of a finer tick is told to the nearest, and a bad row ends nothing`()
    throws
  {
    let feed = KrakenAccountFeed(Self.directory("BTCUSD", "BTC/USD"), alarm, host: nil)
    func row(_ price: String, _ status: String = "partially_filled") -> String {
      #"{"order_id":"O1","symbol":"BTC/USD","cl_ord_id":"a","exec_type":"trade","#
        + #""order_status":"\#(status)","exec_id":"T1","last_qty":0.5,"last_price":\#(price)}"#
    }
    let rows = [row("99.996"), row("99.99", "wonderful"), row("99.99")]
    let output = heard(
      feed, #"{"channel":"executions","data":[\#(rows.joined(separator: ","))],"sequence":1}"#)
    let prices = output.events.map { event in
      if case .report(let report) = event { report.fill?.price } else { Price?.none }
    }
    let reports = KrakenReports(Self.directory("BTCUSD", "BTC/USD"), alarm)
    let list = try reports.orders(
      JSONDocument(
        parsing: #"{"O1":{"status":"open","descr":{"pair":"XBTUSD","price":"99.996"},"#
          + #""vol":"1.0006","vol_exec":"0"}}"#
      ).root)

    #expect(prices == [Price(100_00), Price(99_99)])
    #expect(output.fault == nil && output.unread.count == 1)
    #expect(list.isWhole && list.rows.map(\.price) == [Price(100_00)])
    #expect(list.rows.map(\.quantity) == [Quantity(1_001)])
    #expect(counters.finerNumbers.value == 3 && counters.unreadRows.value == 1)
  }
}
