import Calls
import Contracts
import ServiceKit
import Telemetry
import Testing
import Units
import Venue
import Venues
import Wire

@testable import MarketConnectorService

/// What the market-connector makes of a venue's lists: what can be read is told, and what is missing.
@Suite struct `Lists of the market-connector` {
  private func list(
    _ desk: ConnectorDesk, from token: String = ""
  ) async throws -> MarketV1.ListOpenVenueOrdersResponse {
    var request = MarketV1.ListOpenVenueOrdersRequest()
    request.venue = "binance"
    request.pageToken = token
    return try await desk.orders.listOpenOrders(request)
  }

  private var everything: MarketV1.CancelAllVenueOrdersRequest {
    var request = MarketV1.CancelAllVenueOrdersRequest()
    request.venue = "binance"
    request.symbol = "BTCUSDT"
    return request
  }

  private static let gap = VenueListGap(
    InstrumentID(0), venueOrderID: "5", "BTCUSDT order 5: no decimal")

  private func incomplete(_ desk: ConnectorDesk, _ list: String) -> UInt64 {
    desk.context.metrics.counters(
      "market_connector_incomplete_lists_total", help: "", labels: ["venue", "list"]
    ).with("binance", list).value
  }

  @Test func `REC-03 an instrument that the venue refuses leaves the others in the list`()
    async throws
  {
    try await withConnector { desk in
      let entry = desk.sessions[0].entry
      entry.has(2, missing: [])
      entry.refuses(InstrumentID(0), VenueError(.invalidSymbol, "delisted"))
      let some = try await list(desk)
      entry.refuses(InstrumentID(1), VenueError(.invalidSymbol, "delisted too"))
      let error = await refusal { try await list(desk) }

      #expect(some.orders.map(\.symbol) == ["ETHUSDT", "ETHUSDT"])
      #expect(some.missing.map(\.symbol) == ["BTCUSDT"])
      #expect(some.missing.map(\.reason) == ["delisted"])
      #expect(error.code == .unavailable && error.message == "delisted too")
      #expect(incomplete(desk, "open orders") == 1)
    }
  }

  @Test func `REC-03 rows that cannot be read are told as missing`() async throws {
    try await withConnector { desk in
      desk.sessions[0].entry.has(1, missing: [Self.gap])
      let open = try await list(desk)
      var request = MarketV1.ListVenueFillsRequest()
      request.venue = "binance"
      request.symbol = "BTCUSDT"
      request.venueOrderId = "5"
      let fills = try await desk.orders.listFills(request)

      #expect(open.orders.count == 2)
      #expect(open.missing.map(\.venueOrderId) == ["5", "5"])
      #expect(fills.fills.isEmpty && fills.missing.map(\.symbol) == ["BTCUSDT"])
      #expect(incomplete(desk, "fills") == 1)
    }
  }

  @Test func `EX-10 a venue is not cleared as long as what is open cannot be read whole`()
    async throws
  {
    try await withConnector { desk in
      desk.sessions[0].entry.has(0, missing: [Self.gap])
      let request = everything
      let error = await refusal { try await desk.orders.cancelAllOrders(request) }

      #expect(error.code == .unavailable)
      #expect(
        error.message.hasPrefix(
          "binance: what is open cannot be read whole: BTCUSDT order 5: no decimal. "))
    }
  }

  @Test func `REC-03 more open orders than a message holds come in pages of whole instruments`()
    async throws
  {
    try await withConnector { desk in
      desk.sessions[0].entry.has(3_000, missing: [])
      let first = try await list(desk)
      let second = try await list(desk, from: first.nextPageToken)
      let error = await refusal { try await list(desk, from: "LUNA") }

      #expect(Set(first.orders.map(\.symbol)) == ["BTCUSDT"] && first.orders.count == 3_000)
      #expect(first.nextPageToken == "ETHUSDT")
      #expect(Set(second.orders.map(\.symbol)) == ["ETHUSDT"] && second.orders.count == 3_000)
      #expect(second.nextPageToken.isEmpty)
      #expect(error.fields == ["pageToken"])
    }
  }

  @Test func `REC-03 the longest page and the longest list of fills are within a message`()
    async throws
  {
    let most = Decimal(units: .max, scale: 18)
    var fill = MarketV1.Fill()
    fill.executionId = "9223372036854775807"
    (fill.price, fill.quantity, fill.fee) = (.init(most), .init(most), .init(most))
    fill.feeAsset = "1000CHEEMS"
    fill.maker = true
    fill.exchangeTimeNs = .max
    var report = MarketV1.VenueReport()
    report.venue = "binance-coinm"
    report.symbol = "1000CHEEMSUSDT"
    report.clientOrderId = String(repeating: "c", count: 36)
    report.venueOrderId = "OABCDE-FGHIJK-LMNOPQ"
    report.status = .partiallyFilled
    (report.price, report.quantity, report.filledQuantity) = (.init(most), .init(most), .init(most))
    report.exchangeTimeNs = .max
    var page = MarketV1.ListOpenVenueOrdersResponse()
    // One instrument may come on top, with the most that a venue lets be open in one.
    page.orders = Array(repeating: report, count: OrderHandlers.ordersPerPage + 500)
    var fills = MarketV1.ListVenueFillsResponse()
    fills.fills = Array(repeating: fill, count: 40_000)
    let (ofPage, ofFills) = (page.encoded().count, fills.encoded().count)
    print("\(ofPage / page.orders.count) bytes an order, \(ofFills / fills.fills.count) a fill")

    #expect(ofPage < 1 << 20 && ofFills < 4 << 20, "\(ofPage) and \(ofFills)")
  }

  @Test func `OMS-14 what the private stream told and nobody could read is asked for`() async throws
  {
    try await withConnector { desk in
      var request = MarketV1.StreamVenueReportsRequest()
      request.venue = "binance"
      let events = try await desk.orders.streamReports(request)
      defer { events.cancel() }
      _ = try await events.next()
      await desk.links[0].take(.missed(reason: "price is x"))
      let event = try await events.next()

      guard case .resynchronise(let loss) = event?.event else {
        Issue.record("\(String(describing: event))")
        return
      }
      #expect(loss.reason == "the private stream told what cannot be read: price is x")
    }
  }
}
