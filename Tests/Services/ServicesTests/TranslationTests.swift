import Calls
import Contracts
import Orders
import Testing
import Translation
import Units
import Venue
import Wire

/// The bridges between domain and contract are casts, which is sound while the numbers agree.
@Suite struct `Enums of the domain and of the contract` {
  @Test func `sides, types and times in force have the same numbers and names`() throws {
    #expect(TypeV1.Side(Side.buy) == .buy && TypeV1.Side(Side.sell) == .sell)
    #expect(TypeV1.OrderType(OrderType.market) == .market)
    #expect(TypeV1.OrderType(OrderType.limit) == .limit)
    let times: [(TimeInForce, TypeV1.TimeInForce)] = [
      (.gtc, .gtc), (.ioc, .ioc), (.fok, .fok), (.postOnly, .postOnly),
    ]
    for (domain, contract) in times {
      #expect(TypeV1.TimeInForce(domain) == contract)
      #expect(try TimeInForce.wire(contract, field: "timeInForce") == domain)
    }
  }

  @Test func `OMS-03 every status has the same number and name`() {
    for number in UInt8.min...UInt8.max {
      guard let status = OrderStatus(rawValue: number) else { continue }
      let wire = TypeV1.OrderStatus(status)
      #expect("\(wire)" == "\(status)")
      #expect(!"\(wire)".hasPrefix("unrecognized"))
    }
    #expect(TypeV1.OrderStatus(.unknown) == .unknown)
    #expect(TypeV1.OrderStatus(.pendingCancel) == .pendingCancel)
  }

  @Test func `OMS-07 every reason to reject has the same number and name, there and back`() {
    var count = 0
    for number in UInt8.min...UInt8.max {
      guard let reason = RejectReason(rawValue: number) else { continue }
      count += 1
      let wire = TypeV1.RejectReason(reason)
      #expect("\(wire)" == "\(reason)")
      #expect(wire.name == reason.name)
      #expect(RejectReason(wire) == reason)
    }
    #expect(count == 24)
    #expect(RejectReason(TypeV1.RejectReason(rawValue: 0)) == nil)
    #expect(RejectReason(TypeV1.RejectReason(rawValue: 999)) == nil)
  }

  @Test func `an instrument goes over the wire and comes back as it was`() throws {
    let instrument = try Instrument(bitcoin(), id: InstrumentID(3))
    let back = try Instrument(MarketV1.Instrument(instrument), id: InstrumentID(3))
    #expect(back == instrument)
    #expect(back.tickSize == Price(1) && back.minNotional == Notional(50_000_000))
  }

  @Test func `an instrument whose scales change is another under the same name, with its history`()
    throws
  {
    var table = InstrumentTable()
    try table.learn(bitcoin())
    let before = try #require(table["binance", "BTCUSDT"])
    var finer = bitcoin()
    finer.priceScale = 3
    finer.tickSize = wire("0.001")
    #expect(try table.learn(finer))
    #expect(try !table.learn(finer), "nothing new")

    let now = try #require(table["binance", "BTCUSDT"])
    #expect(now.id != before.id && now.priceScale == 3)
    #expect(table[before.id] == before)
    #expect(try table.find(venue: "", symbol: "BTCUSDT") == now)
    #expect(try table.find(venue: "binance", symbol: "BTCUSDT") == now)
    #expect(table.earlier(than: now) == [before])
  }

  @Test
  func `an order is of the terms that its numbers are written in, also when others are in force`()
    throws
  {
    var table = InstrumentTable()
    try table.learn(bitcoin())
    let before = try #require(table["binance", "BTCUSDT"])
    var coarser = bitcoin()
    coarser.priceScale = 1
    coarser.tickSize = wire("0.1")
    try table.learn(coarser)
    let now = try #require(table["binance", "BTCUSDT"])
    var order = OmsV1.Order()
    order.venue = "binance"
    order.symbol = "BTCUSDT"
    order.quantity = before.wire(Quantity(1))

    order.price = before.wire(Price(5_000_005))
    #expect(table.instrument(of: order) == before)
    order.price = now.wire(Price(500_001))
    #expect(table.instrument(of: order) == now)
    order.price = wire("50000.123")
    #expect(table.instrument(of: order) == nil)
    order.price = nil
    #expect(table.instrument(of: order) == now)

    var older = bitcoin()
    older.priceScale = 3
    let remembered = try table.remember(older)
    #expect(try table.remember(older) == remembered)
    #expect(table["binance", "BTCUSDT"] == now, "what was before is not in force")
    order.price = wire("50000.123")
    #expect(table.instrument(of: order) == remembered)
    #expect(before.price(Price(5_000_005), in: now) == Price(500_000))
    #expect(now.price(Price(500_001), in: before) == Price(5_000_010))
    #expect(before.price(Price(.max), in: remembered) == Price(.max))
  }

  @Test func `what has finer digits than an order's terms is told to the nearest`() throws {
    let instrument = try Instrument(bitcoin(), id: InstrumentID(0))
    for (told, kept) in [
      ("50000.01", "50000.01"), ("50000.014", "50000.01"), ("50000.015", "50000.02"),
      ("50000.010", "50000.01"),
    ] {
      let fill = try VenueFill(fill("E1", "0.1", at: told).fitted(to: instrument), instrument)
      #expect(text(instrument.wire(fill.price)) == kept)
    }
  }

  @Test(arguments: ["0.001", "-1", "0", "922337203685477580"])
  func `a price that is no positive whole number of ticks names its field`(text: String) throws {
    let instrument = try Instrument(bitcoin(), id: InstrumentID(0))
    let wire = wire(text)
    #expect(throws: RPCError.self) { try instrument.price(wire, field: "price") }
  }
}
