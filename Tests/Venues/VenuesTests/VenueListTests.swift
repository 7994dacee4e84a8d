import Chrono
import JSON
import Loop
import Synchronization
import Telemetry
import TestKit
import Testing
import Units
import Venue

@testable import Venues

/// One row of a list that cannot be read, or one order that is not cancelled, takes nothing from the others;
/// and a list that is not whole says so.
@Suite struct `Lists of a venue` {
  private let counters = VenueCounters(MetricsRegistry(), venue: "test")
  private var alarm: RowAlarm { RowAlarm(VenueID("test"), counters, .silent) }

  private static func instrument(
    _ symbol: String, _ venueSymbol: String, _ id: Int32 = 0
  ) -> Instrument {
    Instrument(
      id: InstrumentID(id), venue: VenueID("test"), symbol: symbol, venueSymbol: venueSymbol,
      base: "BTC", quote: "USDT", priceScale: 2, quantityScale: 8, tickSize: Price(1),
      lotSize: Quantity(1), minQuantity: Quantity(1), maxQuantity: Quantity(.max),
      minNotional: .zero)
  }

  // MARK: Binance

  private static func binance(_ id: Int, _ status: String = "NEW") -> String {
    #"{"symbol":"BTCUSDT","orderId":\#(id),"clientOrderId":"c-\#(id)","price":"1.5","#
      + #""origQty":"2","executedQty":"0","status":"\#(status)","time":1790000000000}"#
  }

  @Test func `REC-03 Binance's rows are kept around one that cannot be read`() throws {
    let reports = BinanceReports(
      InstrumentDirectory([Self.instrument("BTCUSDT", "BTCUSDT")]), alarm)
    let rows = [Self.binance(1), Self.binance(2, "WONDERFUL"), Self.binance(3)]
    let body = Array("[\(rows.joined(separator: ","))]".utf8)
    let open = try reports.orders(body)
    let cancelled = try reports.cancelled(body)
    let fills = try reports.fills(
      Array(
        [("7", "1.5"), ("8", "x"), ("9", "1.5")].map { id, price in
          #"{"symbol":"BTCUSDT","id":\#(id),"orderId":5,"price":"\#(price)","qty":"1","#
            + #""commission":"0","commissionAsset":"BNB","isMaker":true,"time":1790000000000}"#
        }.joined(separator: ",").utf8.map { $0 }
      ).bracketed)

    #expect(open.rows.map(\.venueOrderID) == ["1", "3"] && !open.isWhole)
    #expect(open.missing.map(\.venueOrderID) == ["2"])
    #expect(open.missing.map(\.instrument) == [InstrumentID(0)])
    #expect(open.missing[0].text.contains("WONDERFUL"))
    #expect(cancelled == open)
    #expect(fills.list.rows.map(\.fill.executionID) == ["7", "9"])
    #expect(fills.list.missing.count == 1 && fills.count == 3 && fills.next == 10)
    #expect(counters.unreadRows.value == 3)
  }

  // MARK: OKX

  private static func okx(_ id: Int, _ state: String = "live") -> String {
    #"{"instId":"BTC-USDT","clOrdId":"","ordId":"\#(id)","state":"\#(state)","px":"1.5","#
      + #""sz":"1","cancelSource":"","accFillSz":"0","uTime":"1790000000001"}"#
  }

  private static func data(_ rows: [String]) -> String {
    #"{"code":"0","msg":"","data":[\#(rows.joined(separator: ","))]}"#
  }

  @Test func `REC-03 OKX's rows are kept around one that cannot be read`() throws {
    let reports = OKXReports(InstrumentDirectory([Self.instrument("BTCUSDT", "BTC-USDT")]), alarm)
    let page = try reports.orders(
      Array(Self.data([Self.okx(1), Self.okx(2, "wonderful"), Self.okx(3)]).utf8))
    let fills = try reports.fills(
      Array(
        Self.data(
          ["1.5", "x"].enumerated().map { number, price in
            #"{"instId":"BTC-USDT","tradeId":"\#(number)","ordId":"5","billId":"9\#(number)","#
              + #""fillPx":"\#(price)","fillSz":"1","fee":"-0.1","feeCcy":"BTC","#
              + #""execType":"M","ts":"1790000000000"}"#
          }
        ).utf8))

    #expect(page.list.rows.map(\.venueOrderID) == ["1", "3"])
    #expect(page.list.missing.map(\.venueOrderID) == ["2"] && page.count == 3 && page.last == "3")
    #expect(fills.list.rows.count == 1 && fills.list.missing.map(\.venueOrderID) == ["5"])
    #expect(fills.count == 2 && fills.last == "91")
    #expect(counters.unreadRows.value == 2)
  }

  @Test func `KS-01 an order that OKX does not cancel keeps no other one open`() async throws {
    try await withLoop { loop in
      let venue = try await ScriptedOKX(loop)
      _ = try await venue.session.loadInstruments()
      let rows = (1...45).map { Self.okx($0, $0 == 45 ? "wonderful" : "live") }
      venue.answer("GET /api/v5/trade/orders-pending", Self.data(rows))
      func results(_ ids: ClosedRange<Int>, refusing refused: Int?) -> String {
        let entries = ids.map { id in
          #"{"ordId":"\#(id)","sCode":"\#(id == refused ? 51403 : 0)","sMsg":"no"}"#
        }
        return #"{"code":"2","msg":"","data":[\#(entries.joined(separator: ","))]}"#
      }
      let line = "POST /api/v5/trade/cancel-batch-orders"
      venue.answer(line, results(1...20, refusing: 3))
      venue.answer(line, results(21...40, refusing: nil))
      venue.answer(line, results(41...45, refusing: nil))

      await #expect(throws: VenueError(.venuePolicy, "51403: no")) {
        try await venue.session.orders.cancelAll(of: InstrumentID(0))
      }

      let sent = venue.requests(line).map(\.body)
      // Also the one whose row cannot be read.
      #expect(sent.count == 3 && sent.last?.contains(#""ordId":"45""#) == true)
      await venue.stop()
    }
  }

  // MARK: Kraken

  private static func kraken(_ id: Int, price: String = "1.5", volume: String = "2") -> String {
    #""O\#(id)":{"status":"open","opentm":1790000000.1,"cl_ord_id":"c-\#(id)","#
      + #""descr":{"pair":"XBTUSD","price":"\#(price)"},"vol":"\#(volume)","vol_exec":"0"}"#
  }

  @Test func `REC-03 Kraken's rows are kept around one that cannot be read`() throws {
    let reports = KrakenReports(
      InstrumentDirectory([Self.instrument("BTCUSD", "BTC/USD")]), alarm)
    let rows = [
      Self.kraken(1), Self.kraken(2, volume: "x"), Self.kraken(3, price: "+5.0000%"),
      Self.kraken(4, price: "#5"), #""O5":{"status":"open"}"#,
    ]
    let list = try reports.orders(JSONDocument(parsing: "{\(rows.joined(separator: ","))}").root)
    let fills = try reports.fills(
      JSONDocument(
        parsing: #"{"T1":{"ordertxid":"O1","pair":"XBTUSD","time":"soon","price":"1","vol":"1"},"#
          + #""T2":{"ordertxid":"O1","pair":"XBTUSD","time":1790000000.1,"price":"1","vol":"1","#
          + #""fee":"0"}}"#
      ).root)

    // A price that is relative to another one is none of the order's own.
    #expect(list.rows.map(\.venueOrderID) == ["O1", "O3", "O4"])
    #expect(list.rows.map(\.price) == [Price(150), nil, nil])
    #expect(list.missing.map(\.venueOrderID) == ["O2", "O5"])
    #expect(list.missing.map(\.instrument) == [InstrumentID(0), nil])
    #expect(fills.rows.map(\.fill.executionID) == ["T2"])
    #expect(fills.missing.map(\.venueOrderID) == ["O1"])
    #expect(counters.unreadRows.value == 3)
  }

  @Test func `OMS-14 an order whose row at Kraken cannot be read is not denied`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedKraken(loop)
      try await venue.start()
      let orders = venue.session.orders
      #expect(status(await orders.place(ConnectedKraken.order("mine"))) == .new)
      venue.kraken.state.withLock { $0.orders[0].volume = "x" }
      // By Kraken's id; and by our name, as an instance would ask that has not placed it.
      let known = await orders.query("mine", of: ConnectedKraken.bitcoin)
      venue.kraken.state.withLock { $0.orders[0].name = "theirs" }
      let named = await orders.query("theirs", of: ConnectedKraken.bitcoin)

      #expect(isUnknown(known) && isUnknown(named), "\(known), \(named)")
      let open = try await orders.openOrders(of: ConnectedKraken.bitcoin)
      #expect(open.rows.isEmpty && open.missing.map(\.venueOrderID) == ["OAAAAA-BBBBB-000001"])
      await venue.stop()
    }
  }

  // MARK: Every venue

  @Test(arguments: ConnectedVenue.simulated)
  func `REC-03 open orders of several instruments are one list`(_ venue: KnownVenue) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      let orders = trading.orders
      for number in 1...3 { await trading.place(trading.order(number, .buy, 100, at: trading.low)) }
      let requests = trading.connected.session.counters.requests
      let before = requests.value
      let all = try await orders.openOrders(of: [InstrumentID(0), InstrumentID(1)])

      // Kraken tells those of all instruments at once, and counts each question.
      #expect(requests.value - before == (venue == .kraken ? 1 : 2))
      #expect(all == (try await orders.openOrders(of: trading.bitcoin.id)))
      #expect(all.rows.count == 3 && all.isWhole)
      #expect(try await orders.openOrders(of: [InstrumentID(1)]) == VenueList())
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `OMS-14 an order that the venue does not know has no fills`(_ venue: KnownVenue)
    async throws
  {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      let nobody = venue == .kraken ? "OABCDE-FGHIJ-KLMNOP" : "987654321"

      #expect(
        try await trading.orders.fills(ofOrder: nobody, trading.bitcoin.id) == VenueList())
      await trading.stop()
    }
  }

  @Test(arguments: ["EOrder:Unknown order", "EOrder:Invalid order", nil])
  func `OMS-14 an order that Kraken denies, in whatever words, has no fills`(_ word: String?)
    async throws
  {
    try await withLoop { loop in
      let venue = try await ConnectedKraken(loop)
      try await venue.start()
      if let word { venue.kraken.fail("QueryOrders", .errors([word])) }
      let fills = try await venue.session.orders.fills(
        ofOrder: "OABCDE-FGHIJ-KLMNOP", ConnectedKraken.bitcoin)
      venue.kraken.fail("QueryOrders", .errors(["EService:Unavailable"]))

      #expect(fills == VenueList())
      await #expect(throws: VenueError(.venueUnavailable, "EService:Unavailable")) {
        try await venue.session.orders.fills(
          ofOrder: "OABCDE-FGHIJ-KLMNOP", ConnectedKraken.bitcoin)
      }
      await venue.stop()
    }
  }

  @Test func `OMS-14 a trade of an order that Kraken does not tell is missing`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedKraken(loop)
      try await venue.start()
      _ = await venue.session.orders.place(ConnectedKraken.order("m", at: nil))
      venue.kraken.answer("QueryTrades", "{}")
      let fills = try await venue.session.orders.fills(
        ofOrder: "OAAAAA-BBBBB-000001", ConnectedKraken.bitcoin)

      #expect(
        fills.rows.isEmpty && fills.missing.map(\.text) == ["trade TAAAAA-BBBBB-000001 is not told"]
      )
      await venue.stop()
    }
  }

  @Test func `KS-01 an order that Kraken does not cancel keeps no other one open`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedKraken(loop)
      try await venue.start()
      let orders = venue.session.orders
      for id in 1...3 { _ = await orders.place(ConnectedKraken.order("o-\(id)")) }
      venue.kraken.state.withLock { $0.orders[2].volume = "x" }
      venue.kraken.fail("CancelOrder", .errors(["EOrder:Not this one"]))

      await #expect(throws: VenueError(.venuePolicy, "EOrder:Not this one")) {
        try await orders.cancelAll(of: ConnectedKraken.bitcoin)
      }

      #expect(
        venue.kraken.state.withLock { $0.orders.map(\.status) } == ["open", "canceled", "canceled"])
      await venue.stop()
    }
  }
}

extension [UInt8] {
  fileprivate var bracketed: [UInt8] { [UInt8(ascii: "[")] + self + [UInt8(ascii: "]")] }
}
