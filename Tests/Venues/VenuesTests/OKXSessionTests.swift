import Chrono
import JSON
import Loop
import Telemetry
import TestKit
import Testing
import Transport
import Units
import Venue

@testable import Venues

@Suite struct `OKX session` {
  private static let orderPath = "/api/v5/trade/order"
  private static let name = "06AJRZ8400000-7"
  private static let spelled = "06AJRZ84000007"

  private func limit(_ name: String = Self.name, _ force: TimeInForce = .gtc) -> VenueOrder {
    VenueOrder(
      instrument: InstrumentID(0), clientOrderID: name, side: .buy, type: .limit,
      timeInForce: force, price: Price(600_001), quantity: Quantity(1_000_000))
  }

  private static func result(_ code: String = "0", _ text: String = "") -> String {
    #"{"code":"\#(code == "0" ? 0 : 1)","msg":"","data":[{"clOrdId":"\#(spelled)","ordId":"77","#
      + #""ts":"1790000000000","sCode":"\#(code)","sMsg":"\#(text)"}]}"#
  }

  private static func order(
    _ state: String, filled: String = "0", id: Int = 77, terms: String = ""
  ) -> String {
    #"{"instId":"BTC-USDT","clOrdId":"\#(spelled)","ordId":"\#(id)","state":"\#(state)","# + terms
      + #""cancelSource":"","accFillSz":"\#(filled)","uTime":"1790000000001"}"#
  }

  private static func data(_ entries: String...) -> String {
    #"{"code":"0","msg":"","data":[\#(entries.joined(separator: ","))]}"#
  }

  private func withVenue(
    timeout: Duration = .seconds(30), orderRateMax: Int? = nil,
    _ body: @escaping @Sendable (ScriptedOKX) async throws -> Void
  ) async throws {
    try await withLoop { loop in
      let venue = try await ScriptedOKX(loop, timeout: timeout, orderRateMax: orderRateMax)
      let found = try await venue.session.loadInstruments()
      #expect(found.map(\.symbol) == ["BTCUSDT"] && found[0].id == InstrumentID(0))
      try await body(venue)
      await venue.stop()
    }
  }

  @Test func `orders go out signed and in the venue's terms`() async throws {
    try await withVenue { venue in
      venue.answer("POST \(Self.orderPath)", Self.result())
      let outcome = await venue.session.orders.place(limit())

      guard case .acknowledged(let report) = outcome else {
        Issue.record("\(outcome)")
        return
      }
      #expect(report.venueOrderID == "77" && report.status == .new)
      #expect(report.clientOrderID == Self.name)
      for force in [TimeInForce.ioc, .fok, .postOnly] {
        _ = await venue.session.orders.place(limit(Self.name, force))
      }
      var market = limit()
      market.type = .market
      market.price = nil
      _ = await venue.session.orders.place(market)
      let bodies = venue.requests("POST \(Self.orderPath)").map(\.body)
      #expect(
        bodies.first
          == #"{"instId":"BTC-USDT","tdMode":"cash","clOrdId":"06AJRZ84000007","side":"buy","#
          + #""ordType":"limit","sz":"0.01000000","px":"60000.1"}"#)
      let types = try bodies.map { try JSONDocument(parsing: $0).root.string("ordType") }
      #expect(types == ["limit", "ioc", "fok", "post_only", "market"])
      #expect(bodies.last?.contains(#""tgtCcy":"base_ccy""#) == true)
      #expect(bodies.last?.contains("px") == false)
      // A late arrival is refused by the venue.
      let expiry = venue.requests("POST \(Self.orderPath)").first?.headers.first("exptime")
      #expect(expiry != nil && venue.session.orders.settlesAfter == .seconds(5))
    }
  }

  @Test func `TST-01 refusals have reasons, silence is unknown and nothing is sent twice`()
    async throws
  {
    try await withVenue(timeout: .seconds(3)) { venue in
      let orders = venue.session.orders
      venue.answer("POST \(Self.orderPath)", Self.result("51008", "Insufficient USDT"))
      venue.answer(
        "POST \(Self.orderPath)", status: 503,
        #"{"code":"50001","msg":"Service temporarily unavailable","data":[]}"#)
      venue.answer("POST \(Self.orderPath)", #"{"code":"0","data":"what"}"#)
      venue.answer(
        "POST \(Self.orderPath)", status: 200, #"{"code":"50014","msg":"empty","data":[]}"#)
      venue.answer("POST \(Self.orderPath)", Self.result())

      #expect(
        await orders.place(limit())
          == .rejected(.insufficientBalance, text: "51008: Insufficient USDT"))
      #expect(
        await orders.place(limit())
          == .unknown(reason: "50001: Service temporarily unavailable"))
      guard case .unknown = await orders.place(limit()) else {
        Issue.record("an unreadable answer is not unknown")
        return
      }
      #expect(await orders.place(limit()) == .rejected(.invalidOrder, text: "50014: empty"))
      venue.be(silent: true)
      guard case .unknown = await orders.place(limit()) else {
        Issue.record("silence is not unknown")
        return
      }
      #expect(venue.requests("POST \(Self.orderPath)").count == 5)
      #expect(venue.session.counters.unknownOutcomes.value == 3)
      // Names that the venue cannot spell never leave.
      #expect(
        await orders.place(limit("manual"))
          == .rejected(
            .invalidOrder,
            text: "clientOrderID manual is not 13 characters of base 32, a dash and a number"))
      #expect(venue.requests("POST \(Self.orderPath)").count == 5)
    }
  }

  @Test func `cancels and amendments tell the order's state, which a query proves`() async throws {
    try await withVenue { venue in
      let orders = venue.session.orders
      venue.answer("POST /api/v5/trade/cancel-order", Self.result())
      venue.answer("POST /api/v5/trade/cancel-order", Self.result("51400", "gone"))
      venue.answer("POST /api/v5/trade/amend-order", Self.result())
      venue.answer("GET \(Self.orderPath)", Self.data(Self.order("canceled", filled: "0.004")))
      venue.answer(
        "GET \(Self.orderPath)",
        Self.data(Self.order("live", terms: #""px":"60000.2","sz":"0.02","#)))
      venue.answer(
        "GET \(Self.orderPath)", #"{"code":"51603","msg":"Order does not exist","data":[]}"#)

      guard case .acknowledged(let cancelled) = await orders.cancel(Self.name, of: InstrumentID(0))
      else {
        Issue.record("no cancel")
        return
      }
      #expect(cancelled.status == .cancelled && cancelled.filledQuantity == Quantity(400_000))
      #expect(
        await orders.cancel(Self.name, of: InstrumentID(0))
          == .rejected(.unknownOrder, text: "51400: gone"))
      let change = VenueAmendment(
        clientOrderID: Self.name, instrument: InstrumentID(0), price: Price(600_002),
        quantity: Quantity(2_000_000))
      guard case .acknowledged(let amended) = await orders.amend(change) else {
        Issue.record("no amendment")
        return
      }
      #expect(amended.status == .new && amended.clientOrderID == Self.name)
      #expect(amended.price == Price(600_002) && amended.quantity == Quantity(2_000_000))
      #expect(
        venue.requests("POST /api/v5/trade/amend-order").first?.body
          == #"{"instId":"BTC-USDT","clOrdId":"06AJRZ84000007","newPx":"60000.2","#
          + #""newSz":"0.02000000"}"#)
      #expect(
        await orders.query(Self.name, of: InstrumentID(0))
          == .rejected(.unknownOrder, text: "51603: Order does not exist"))
    }
  }

  @Test func `a replacement places nothing before the old order is proven cancelled`() async throws
  {
    try await withVenue { venue in
      let orders = venue.session.orders
      venue.answer("POST /api/v5/trade/cancel-order", Self.result())
      venue.answer("GET \(Self.orderPath)", Self.data(Self.order("filled", filled: "0.01")))
      venue.answer("GET \(Self.orderPath)", Self.data(Self.order("canceled")))
      venue.answer("POST \(Self.orderPath)", Self.result())
      let failed = await orders.replace(Self.name, with: limit("06AJRZ8400000-8"))
      #expect(failed.place == nil && venue.requests("POST \(Self.orderPath)").isEmpty)
      let done = await orders.replace(Self.name, with: limit("06AJRZ8400000-8"))
      #expect(done.place != nil && venue.requests("POST \(Self.orderPath)").count == 1)
    }
  }

  @Test func `all open orders are listed page by page and cancelled twenty at a time`() async throws
  {
    try await withVenue { venue in
      let pages = [1..<101, 101..<126].map { ids in
        Self.data(ids.map { Self.order("live", id: $0) }.joined(separator: ","))
      }
      for page in pages { venue.answer("GET /api/v5/trade/orders-pending", page) }
      venue.answer("POST /api/v5/trade/cancel-batch-orders", Self.result())
      venue.answer("POST /api/v5/trade/cancel-batch-orders", Self.result("51400", "filled"))
      try await venue.session.orders.cancelAll(of: InstrumentID(0))

      let asked = venue.requests("GET /api/v5/trade/orders-pending").map(\.line)
      #expect(asked.count == 2 && asked[1].hasSuffix("&after=100"))
      let batches = try venue.requests("POST /api/v5/trade/cancel-batch-orders").map {
        try JSONDocument(parsing: $0.body).root.array?.count
      }
      #expect(batches == [20, 20, 20, 20, 20, 20, 5])

      // One that is refused is told.
      venue.answer("POST /api/v5/trade/cancel-batch-orders", Self.result("50013", "busy"))
      venue.answer("POST /api/v5/trade/cancel-batch-orders", Self.result("50013", "busy"))
      await #expect(throws: VenueError(.overloaded, "50013: busy")) {
        try await venue.session.orders.cancelAll(of: InstrumentID(0))
      }
    }
  }

  private static func fills(_ ids: some Sequence<Int>) -> String {
    data(
      ids.map {
        #"{"instId":"BTC-USDT","ordId":"5","tradeId":"\#($0)","billId":"9\#($0)","fillPx":"60000","#
          + #""fillSz":"0.001","fee":"-0.000001","feeCcy":"BTC","execType":"M","#
          + #""fillTime":"1790000000000","ts":"1790000000000"}"#
      }.joined(separator: ","))
  }

  @Test func `fills are read back to where they are known, oldest first`() async throws {
    try await withVenue { venue in
      venue.answer("GET /api/v5/trade/fills", Self.fills((301...400).reversed()))
      venue.answer("GET /api/v5/trade/fills", Self.fills((261...300).reversed()))
      venue.answer("GET /api/v5/trade/fills-history", Self.fills((161...260).reversed()))
      let fills = try await venue.session.orders.fills(of: InstrumentID(0), from: "200").rows

      #expect(fills.map(\.fill.executionID) == (200...400).map(String.init))
      #expect(fills[0].fill.fee == Decimal(units: 1, scale: 6) && fills[0].fill.isMaker)
      #expect(
        venue.requests("GET /api/v5/trade/fills?").map(\.line).last?.hasSuffix("&after=9301")
          == true)
      #expect(
        venue.requests("GET /api/v5/trade/fills-history").map(\.line).last?
          .hasSuffix("&after=9261") == true)
    }
  }

  @Test(arguments: [("50011", 429), ("51603", 200), ("50001", 503)])
  func `OMS-05 a request that was taken is not refused by the question after it`(
    code: String, status: Int
  ) async throws {
    for isAmendment in [true, false] {
      try await withVenue { venue in
        venue.answer("POST /api/v5/trade/amend-order", Self.result())
        venue.answer("POST /api/v5/trade/cancel-order", Self.result())
        venue.answer(
          "GET \(Self.orderPath)", status: status, #"{"code":"\#(code)","msg":"no","data":[]}"#)
        let orders = venue.session.orders
        var change = VenueAmendment(clientOrderID: Self.name, instrument: InstrumentID(0))
        change.quantity = Quantity(2_000_000)

        let outcome =
          isAmendment
          ? await orders.amend(change) : await orders.cancel(Self.name, of: InstrumentID(0))

        guard case .unknown(let reason) = outcome else {
          Issue.record("\(outcome)")
          return
        }
        #expect(reason.contains(code))
      }
    }
  }

  @Test func `orders beyond the venue's rate are held back by our own count`() async throws {
    try await withVenue(orderRateMax: 5) { venue in
      venue.answer("POST \(Self.orderPath)", Self.result())
      var outcomes: [VenueOutcome] = []
      for _ in 0..<200 where !outcomes.contains(where: Self.isLimited) {
        outcomes.append(await venue.session.orders.place(limit()))
      }
      #expect(outcomes.contains(where: Self.isLimited))
      #expect(venue.requests("POST \(Self.orderPath)").count == outcomes.count - 1)
      #expect(venue.session.counters.limited.value == 1)
    }
  }

  private static func isLimited(_ outcome: VenueOutcome) -> Bool {
    if case .rejected(.rateLimit, _) = outcome { true } else { false }
  }

  @Test func `MD-01 the private stream tells reports and balances, and comes back`() async throws {
    try await withLoop { loop in
      let venue = try await ScriptedOKX(loop)
      _ = try await venue.start()
      let path = "/ws/v5/private"
      #expect(await soon { venue.account.all.first == .connected(attempt: 1) })
      #expect(
        venue.sent(path).last
          == #"{"op":"subscribe","args":[{"channel":"orders","instType":"ANY"},{"channel":"account"}]}"#
      )
      try await venue.push(
        path,
        #"{"arg":{"channel":"orders","instType":"ANY"},"data":[{"instId":"BTC-USDT","#
          + #""clOrdId":"06AJRZ84000007","ordId":"77","state":"partially_filled","cancelSource":"","#
          + #""accFillSz":"0.004","uTime":"1790000000001","tradeId":"12","fillSz":"0.004","#
          + #""fillPx":"60000.1","fillFee":"-0.000004","fillFeeCcy":"BTC","execType":"M","#
          + #""fillTime":"1790000000000"}]}"#)
      try await venue.push(
        path,
        #"{"arg":{"channel":"account"},"data":[{"details":[{"ccy":"BTC","availBal":"1.5","#
          + #""frozenBal":"0.25"}]}]}"#)
      #expect(await soon { venue.account.count == 3 })
      guard case .report(let report) = venue.account.all[1] else {
        Issue.record("no report")
        return
      }
      #expect(report.clientOrderID == Self.name && report.status == .partiallyFilled)
      #expect(report.fill?.executionID == "12" && report.fill?.isMaker == true)
      #expect(report.fill?.fee == Decimal(units: 4, scale: 6))
      #expect(
        venue.account.all[2]
          == .balances([
            VenueBalance(
              asset: "BTC", free: Decimal(units: 15, scale: 1),
              locked: Decimal(units: 25, scale: 2))
          ]))
      venue.drop(path)
      #expect(await soon { venue.account.all.last == .connected(attempt: 2) })
      guard case .disconnected = venue.account.all[3] else {
        Issue.record("the loss was not told")
        return
      }
      await venue.stop()
    }
  }

}
