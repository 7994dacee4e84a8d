import Calls
import Chrono
import Contracts
import TestKit
import Testing
import Units
import Venue
import Venues

@Suite struct `Changes at a venue` {
  private func amendment(_ id: String = "a") -> MarketV1.AmendVenueOrderRequest {
    var request = MarketV1.AmendVenueOrderRequest()
    request.venue = "binance"
    request.symbol = "BTCUSDT"
    request.clientOrderId = id
    request.quantity = wire("0.5")
    return request
  }

  private func rejection(
    _ outcome: MarketV1.VenueOrderOutcome
  ) throws -> MarketV1.VenueRejection {
    guard case .rejected(let rejection) = outcome.outcome else {
      throw RPCError(.unknown, "\(outcome)")
    }
    return rejection
  }

  private func report(_ id: String, _ status: VenueOrderStatus = .new) -> VenueReport {
    VenueReport(
      instrument: InstrumentID(0), clientOrderID: id, venueOrderID: "V-\(id)", status: status,
      filledQuantity: .zero, exchangeTime: .epoch, price: Price(100_00), quantity: Quantity(500))
  }

  private var everything: MarketV1.CancelAllVenueOrdersRequest {
    var request = MarketV1.CancelAllVenueOrdersRequest()
    request.venue = "binance"
    request.symbol = "BTCUSDT"
    return request
  }

  // MARK: Amending

  @Test func `OMS-05 an amendment reaches the venue, and its answer names the terms`() async throws
  {
    try await withConnector { desk in
      let entry = desk.sessions[0].entry
      entry.answers(amend: .acknowledged(report("a")))
      var request = amendment()
      request.price = wire("100")
      let outcome = try await desk.orders.amendOrder(request)

      guard case .acknowledged(let told) = outcome.outcome else {
        Issue.record("\(outcome)")
        return
      }
      #expect(text(told.price) == "100" && text(told.quantity) == "0.5")
      #expect(
        entry.amended == [
          VenueAmendment(
            clientOrderID: "a", instrument: InstrumentID(0), price: Price(100_00),
            quantity: Quantity(500))
        ])
    }
  }

  @Test func `OMS-05 what cannot be changed in place says so, other refusals do not`() async throws
  {
    try await withConnector { desk in
      let entry = desk.sessions[0].entry
      entry.answers(amend: .rejected(.venuePolicy, text: "quantities only"))
      let never = try rejection(try await desk.orders.amendOrder(amendment()))
      entry.answers(amend: .rejected(.priceBands, text: "too far"))
      let refused = try rejection(try await desk.orders.amendOrder(amendment()))

      #expect(never.reason == .venuePolicy && never.notInPlace)
      #expect(refused.reason == .priceBands && !refused.notInPlace)
    }
  }

  @Test func `OMS-14 silence about an amendment is unknown`() async throws {
    try await withConnector { desk in
      desk.sessions[0].entry.answers(amend: .unknown(reason: "timeout"))
      guard case .unknown(let silence) = try await desk.orders.amendOrder(amendment()).outcome
      else {
        Issue.record("not unknown")
        return
      }
      #expect(silence.reason == "timeout")
    }
  }

  @Test func `EX-10 policy and hours hold for amendments as for orders, and never for cancels`()
    async throws
  {
    let closure = "binance 2023-11-14T22:14:00Z/2023-11-14T22:15:00Z maintenance"
    let settings = ["market-connector.closures=\(closure)"]
    try await withConnector([.binance], settings + ["market-connector.shadow_only=binance"]) {
      desk in
      let shadow = try rejection(try await desk.orders.amendOrder(amendment()))
      // A cancel and a new order would not help: the new one is refused likewise.
      #expect(shadow.reason == .venuePolicy && !shadow.notInPlace)
      let cleared = try await desk.orders.cancelAllOrders(everything)
      #expect(cleared.cancelled.isEmpty && desk.sessions[0].entry.amended.isEmpty)
    }
    try await withConnector([.binance], settings) { desk in
      desk.world.time.advance(by: .seconds(60))
      let closed = try rejection(try await desk.orders.amendOrder(amendment()))
      #expect(closed.reason == .marketClosed && closed.text == "binance is closed: maintenance")
      _ = try await desk.orders.cancelAllOrders(everything)
    }
  }

  @Test func `EX-10 at a venue that is not there nothing is changed, and that is no doubt`()
    async throws
  {
    try await withConnector([.binance, .kraken], away: [.kraken]) { desk in
      var change = amendment()
      change.venue = "kraken"
      let refused = try rejection(try await desk.orders.amendOrder(change))
      #expect(refused.reason == .venueUnavailable && !refused.notInPlace)
      var request = everything
      request.venue = "kraken"
      let clearing = request
      let error = await refusal { try await desk.orders.cancelAllOrders(clearing) }
      #expect(error.code == .unavailable)
      #expect(desk.sessions[1].entry.amended.isEmpty)
    }
  }

  @Test func `GWY-07 an amendment that is wrong names its field`() async throws {
    try await withConnector { desk in
      func fields(_ change: (inout MarketV1.AmendVenueOrderRequest) -> Void) async -> [String] {
        var request = amendment()
        change(&request)
        let sent = request
        return await refusal { try await desk.orders.amendOrder(sent) }.fields
      }
      #expect(await fields { $0.clientOrderId = "" } == ["clientOrderId"])
      #expect(await fields { $0.quantity = nil } == ["price"])
      #expect(await fields { $0.quantity = wire("0.0001") } == ["quantity"])
      #expect(await fields { $0.price = wire("0.001") } == ["price"])
      #expect(await fields { $0.symbol = "LUNA" } == ["symbol"])
      #expect(await fields { $0.venue = "mars" } == ["venue"])
    }
  }

  // MARK: Clearing

  @Test func `EX-10 a venue is cleared, and what was cancelled is told`() async throws {
    try await withConnector { desk in
      let entry = desk.sessions[0].entry
      entry.clears([report("a"), report("theirs")], leaving: 1)
      entry.clears([report("late")], leaving: 0)

      let cleared = try await desk.orders.cancelAllOrders(everything).cancelled

      // What came in meanwhile takes another round.
      #expect(cleared.map(\.clientOrderId) == ["a", "theirs", "late"])
      #expect(cleared.allSatisfy { $0.status == .cancelled && $0.venue == "binance" })
    }
  }

  @Test func `EX-10 a venue that is silent is UNAVAILABLE with what to do next`() async throws {
    try await withConnector { desk in
      desk.sessions[0].entry.clears(VenueError(.venueUnavailable, "timeout"))
      let error = await refusal { try await desk.orders.cancelAllOrders(everything) }

      #expect(error.code == .unavailable && error.reason == "VENUE_UNAVAILABLE")
      #expect(
        error.message == "binance: timeout. Orders in BTCUSDT may be cancelled or open: ask "
          + "ListOpenOrders what is left, and call CancelAllOrders again; it may be repeated")
    }
  }

  @Test func `EX-10 orders that come faster than they are cancelled are told as left`() async throws
  {
    try await withConnector { desk in
      for _ in 0..<3 { desk.sessions[0].entry.clears([report("a")], leaving: 2) }
      let error = await refusal { try await desk.orders.cancelAllOrders(everything) }

      #expect(error.code == .unavailable)
      #expect(error.message.hasPrefix("binance: still open after 3 rounds: 2. "))
    }
  }
}
