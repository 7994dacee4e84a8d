import Chrono
import Loop
import Telemetry
import TestKit
import Testing
import Transport
import Units
import Venue

@testable import Venues

/// What an answer proves of an order: only what a venue documents as a refusal is one.
@Suite struct `Refusals` {
  private static func binance(_ code: Int, _ text: String = "t") -> VenueFailure {
    BinanceErrors.failure(
      status: 400, body: Array(#"{"code":\#(code),"msg":"\#(text)"}"#.utf8))
  }

  @Test(arguments: [-1000, -1001, -1004, -1006, -1007, -1009, -1010, -1066, -3045, -9000, 7])
  func `OMS-14 a code of Binance that says nothing of an order is no refusal`(_ code: Int) {
    #expect(Self.binance(code) == .unknown("\(code): t"))
  }

  @Test(arguments: [
    (-1002, RejectReason.venuePolicy), (-1003, .rateLimit), (-1008, .overloaded),
    (-1013, .invalidOrder), (-1014, .invalidOrder), (-1015, .rateLimit), (-1016, .venueUnavailable),
    (-1020, .invalidOrder), (-1021, .venueUnavailable), (-1022, .venuePolicy), (-1034, .rateLimit),
    (-1099, .venuePolicy), (-1100, .invalidOrder), (-1198, .invalidOrder), (-2010, .venuePolicy),
    (-2013, .unknownOrder), (-2015, .venuePolicy),
  ])
  func `TST-01 what Binance documents as a refusal is one`(_ code: Int, _ reason: RejectReason) {
    #expect(Self.binance(code) == .definite(reason, text: "\(code): t"))
  }

  @Test func `TST-01 an error of Binance's engine is what its message says`() {
    let text = "Account has insufficient balance for requested action."
    #expect(
      Self.binance(-1010, text) == .definite(.insufficientBalance, text: "-1010: \(text)"))
    // Half of it may have been carried out.
    #expect(Self.binance(-2021) == .unknown("-2021: t"))
    #expect(Self.binance(-2022) == .unknown("-2022: t"))
  }

  @Test(arguments: [
    1, 2, 50001, 50004, 50005, 50026, 50038, 50099, 50199, 51054, 51149, 60018, 99999,
  ])
  func `OMS-14 a code of OKX that says nothing of an order is no refusal`(_ code: Int) {
    #expect(OKXErrors.failure(status: 200, code: "\(code)", text: "t") == .unknown("\(code): t"))
  }

  @Test(arguments: [
    (50000, RejectReason.venuePolicy), (50011, .rateLimit), (50013, .overloaded),
    (50014, .invalidOrder), (50027, .venuePolicy), (50102, .venueUnavailable),
    (50103, .venuePolicy), (50113, .venuePolicy), (51008, .insufficientBalance),
    (51998, .venuePolicy), (54000, .venuePolicy), (59200, .venuePolicy),
  ])
  func `TST-01 what OKX documents as a refusal is one`(_ code: Int, _ reason: RejectReason) {
    #expect(
      OKXErrors.failure(status: 200, code: "\(code)", text: "t")
        == .definite(reason, text: "\(code): t"))
  }

  @Test(arguments: [
    "EService:Busy", "EService:Something new", "EGeneral:Internal error", "EGeneral:Something new",
    "EInternal:Error", "EDatabase:Internal error", "EOrder:Internal error", "EAPI:Timeout",
    "ETrade:Unavailable", "ESomething:New", "EGeneral", "E",
  ])
  func `OMS-14 a word of Kraken that says nothing of an order is no refusal`(_ text: String) {
    #expect(KrakenErrors.failure(status: 200, errors: [text]) == .unknown(text))
    #expect(
      KrakenErrors.failure(status: 200, errors: ["EOrder:Insufficient funds", text])
        == .unknown("EOrder:Insufficient funds, \(text)"))
  }

  @Test(arguments: [
    "EGeneral:Permission denied", "EGeneral:Unknown method", "EAPI:Invalid key",
    "EAPI:Feature disabled", "EAuth:Account unconfirmed", "EAccount:Invalid permissions",
    "EBM:limit exceeded:CAL", "EOrder:Scheduled orders limit exceeded", "EOrder:Something new",
    "ETrade:Invalid request",
  ])
  func `TST-01 what Kraken documents as a refusal is one`(_ text: String) {
    #expect(
      KrakenErrors.failure(status: 200, errors: [text]) == .definite(.venuePolicy, text: text))
  }

  private static let instrument = Instrument(
    id: InstrumentID(0), venue: VenueID("binance"), symbol: "BTCUSDT", venueSymbol: "BTCUSDT",
    base: "BTC", quote: "USDT", priceScale: 2, quantityScale: 8, tickSize: Price(1),
    lotSize: Quantity(1), minQuantity: Quantity(1), maxQuantity: Quantity(1_000_000_000_000),
    minNotional: .zero)

  /// A replacement at Binance whose answer is written by the test.
  private func replacement(_ status: Int, _ body: String) async throws -> VenueReplacement {
    let answer = OutcomeBox()
    try await withLoop { loop in
      let venue = try await ScriptedVenue(
        loop, answer: { _ in HTTPResponse(status: status, json: Array(body.utf8)) },
        talk: { _, _ in })
      let rest = BinanceREST(
        .spot, venue.settings,
        http: VenueHTTP(
          venue.settings, loop: loop, log: .silent,
          counters: VenueCounters(MetricsRegistry(), venue: "binance")), loop: loop,
        time: SystemTime())
      let orders = BinanceOrderEntry(
        venue.settings, rest: rest, instruments: InstrumentDirectory([Self.instrument]),
        RowAlarm())
      let order = VenueOrder(
        instrument: InstrumentID(0), clientOrderID: "a-2", side: .buy, type: .limit,
        timeInForce: .gtc, price: Price(50_000_00), quantity: Quantity(100_000))
      await answer.set(await orders.replace("a-1", with: order))
      await venue.stop()
    }
    return try #require(await answer.value)
  }

  private actor OutcomeBox {
    var value: VenueReplacement?
    func set(_ value: VenueReplacement) { self.value = value }
  }

  @Test(arguments: ["-1007", "-1001", "-1066"])
  func `OMS-14 half a replacement of which the venue does not know is open`(_ code: String)
    async throws
  {
    let failure = #"{"code":\#(code),"msg":"t"}"#
    let cancelled =
      #"{"symbol":"BTCUSDT","origClientOrderId":"a-1","orderId":4,"clientOrderId":"x","#
      + #""transactTime":1684804350068,"price":"1.00","origQty":"0.1","executedQty":"0.0","#
      + #""status":"CANCELED"}"#
    let placing = try await replacement(
      409,
      #"{"code":-2021,"msg":"partially failed","data":{"cancelResult":"SUCCESS","#
        + #""newOrderResult":"FAILURE","cancelResponse":\#(cancelled),"#
        + #""newOrderResponse":\#(failure)}}"#)
    let cancelling = try await replacement(
      400,
      #"{"code":-2022,"msg":"failed","data":{"cancelResult":"FAILURE","#
        + #""newOrderResult":"NOT_ATTEMPTED","cancelResponse":\#(failure),"#
        + #""newOrderResponse":null}}"#)

    #expect(status(placing.cancel) == .cancelled && isUnknown(placing.place), "\(placing)")
    #expect(isUnknown(cancelling.cancel) && cancelling.place == nil, "\(cancelling)")
  }

  @Test func `OMS-14 a replacement whose halves are not told leaves both open`() async throws {
    let answer = try await replacement(409, #"{"code":-2021,"msg":"partially failed"}"#)

    #expect(isUnknown(answer.cancel) && isUnknown(answer.place), "\(answer)")
  }

  @Test func `OMS-14 the new half of a replacement that is there already is open`() async throws {
    let answer = try await replacement(
      409,
      #"{"code":-2021,"msg":"partially failed","data":{"cancelResult":"FAILURE","#
        + #""newOrderResult":"FAILURE","cancelResponse":{"code":-2011,"msg":"Unknown order sent."},"#
        + #""newOrderResponse":{"code":-2010,"msg":"Duplicate order sent."}}}"#)

    #expect(reason(answer.cancel) == .unknownOrder && isUnknown(answer.place), "\(answer)")
  }
}
