import Chrono
import JSON
import Loop
import Synchronization
import Telemetry
import TestKit
import Testing
import Transport
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
    #expect(open.missing.first?.text.contains("WONDERFUL") == true)
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

  // MARK: Many instruments

  /// A venue that answers every question with these orders, and notes what it was asked.
  private func withVenue(
    _ body: String,
    _ test:
      @escaping @Sendable (VenueSettings, VenueHTTP, EventLoop, Heard<String>) async throws
      -> Void
  ) async throws {
    try await withLoop { [counters] loop in
      let asked = Heard<String>()
      let venue = try await ScriptedVenue(
        loop,
        answer: { request in
          asked.hear(String(request.target))
          return HTTPResponse(status: 200, json: Array(body.utf8))
        }, talk: { _, _ in })
      let http = VenueHTTP(venue.settings, loop: loop, log: .silent, counters: counters)
      try await test(venue.settings, http, loop, asked)
      await venue.stop()
    }
  }

  @Test func `REC-03 Binance is asked for the orders of many symbols at once`() async throws {
    let symbols = ["BTCUSDT"] + (1..<14).map { "S\($0)" }
    let directory = InstrumentDirectory(
      symbols.enumerated().map { Self.instrument($1, $1, Int32($0)) })
    let rows = [
      Self.binance(1), Self.binance(2).replacing("BTCUSDT", with: "OTHER"), Self.binance(3, "X"),
      Self.binance(4, "X").replacing("BTCUSDT", with: "OTHER"),
    ]
    try await withVenue("[\(rows.joined(separator: ","))]") { settings, http, loop, asked in
      let orders = BinanceOrderEntry(
        settings,
        rest: BinanceREST(.spot, settings, http: http, loop: loop, time: SystemTime()),
        instruments: directory, RowAlarm())
      let all = directory.all.map(\.id)
      let list = try await orders.openOrders(of: all)

      // It weighs 80 for all symbols, and 6 for one.
      #expect(asked.count == 1 && !asked.all[0].contains("symbol="))
      #expect(list.rows.map(\.venueOrderID) == ["1"])
      #expect(list.missing.map(\.venueOrderID) == ["3"])
      _ = try await orders.openOrders(of: Array(all.prefix(13)))
      #expect(asked.count == 14)
    }
  }

  @Test func `REC-03 OKX is asked for the orders of many instruments by their types`() async throws
  {
    let names = ["BTC-USDT"] + (1..<21).map { "S\($0)-USDT" } + ["BTC-USDT-SWAP"]
    let directory = InstrumentDirectory(
      names.enumerated().map { OKXFixture.instrument($1, Int32($0), 2, 8) })
    let rows = [Self.okx(1), Self.okx(2).replacing("BTC-USDT", with: "OTHER-USDT")]
    try await withVenue(Self.data(rows)) { settings, http, loop, asked in
      let orders = OKXOrderEntry(
        settings, rest: OKXREST(settings, http: http, loop: loop, time: SystemTime()),
        instruments: directory, RowAlarm())
      let list = try await orders.openOrders(of: directory.all.map(\.id))

      #expect(asked.count == 2 && asked.all.allSatisfy { !$0.contains("instId=") })
      #expect(asked.all.map { $0.contains("instType=SPOT") } == [true, false])
      #expect(list.isWhole && Set(list.rows.map(\.venueOrderID)) == ["1"])
    }
  }

  // MARK: Every venue

  @Test(arguments: ConnectedVenue.simulated)
  func `REC-03 open orders of several instruments are one list`(_ venue: KnownVenue) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      let orders = trading.orders
      for number in 1...3 { await trading.place(trading.order(number, .buy, 100, at: trading.low)) }
      let all = try await orders.openOrders(of: [InstrumentID(0), InstrumentID(1)])

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

  @Test func `REC-03 Kraken is asked for the orders of all pairs at once`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedKraken(loop)
      try await venue.start()
      _ = await venue.session.orders.place(ConnectedKraken.order("mine"))
      let pairs = Array(repeating: ConnectedKraken.bitcoin, count: 5)
      let list = try await venue.session.orders.openOrders(of: pairs)

      let asked = venue.kraken.state.withLock { $0.requests }
      #expect(asked.count { $0.hasSuffix("OpenOrders") } == 1)
      #expect(list.rows.map(\.clientOrderID) == ["mine"])
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
