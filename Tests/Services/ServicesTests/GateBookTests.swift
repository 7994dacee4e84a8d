import Chrono
import Contracts
import Orders
import Risk
import Testing
import Translation
import Units
import Venue

@testable import TradingGatewayService

@Suite struct `The gate's book of orders` {
  private let id = OrderID(7)

  private func order(
    _ version: UInt32, _ status: TypeV1.OrderStatus, _ quantity: String, open: String? = nil,
    filled: String = "0"
  ) throws -> OpenOrder {
    var wired = OMSDesk.order("c", quantity)
    wired.orderId = id.description
    wired.status = status
    wired.version = version
    wired.filledQuantity = wire(filled)
    wired.openQuantity = open.map { wire($0) }
    return try #require(try OpenOrder(wired, try Instrument(bitcoin(), id: InstrumentID(0))))
  }

  private func book() throws -> GateBook {
    let gate = try RiskGate(
      account: "main", instruments: [try Instrument(bitcoin(), id: InstrumentID(0))],
      limits: .standard, killSwitch: KillSwitch(), counters: RiskCounters())
    gate.setReference(InstrumentID(0), Price(50_000_00), now: Uptime(nanoseconds: 0))
    return GateBook(gate, ordersMax: 10)
  }

  /// An order of one that is being replaced by one of `quantity`.
  private func replacing(by quantity: String) throws -> GateBook {
    var book = try book()
    book.follow(try order(2, .new, "1", open: "1"))
    let raw = try #require(decimal(quantity).units(atScale: 5))
    let wish = GateOrder(
      instrument: InstrumentID(0), side: .buy, type: .limit, price: Price(50_000_00),
      quantity: Quantity(raw))
    let verdict = book.replace(
      id, wish, quantity: Quantity(raw), now: Uptime(nanoseconds: 0))
    #expect(verdict.isAccepted)
    return book
  }

  private func reserved(_ book: GateBook) -> String? {
    book.gate.exposure(of: InstrumentID(0)).map {
      Decimal(units: $0.openBuy.raw, scale: 5).normalized.description
    }
  }

  @Test func `RSK-04 an order that is sent again in doubt is in doubt since then`() throws {
    var book = try book()
    var wire = TradingFloor.request("1", clientOrderID: "c")
    wire.venue = "binance"
    var instruments = InstrumentTable()
    try instruments.learn(bitcoin())
    let ticket = try OrderTicket(wire, instruments, defaultVenue: "binance", fallbackID: "")
    let (first, again, last) = (
      Uptime(nanoseconds: 1), Uptime(nanoseconds: 2), Uptime(nanoseconds: 3)
    )
    let verdict = book.admit(ticket, strategy: "", now: first)
    let isFirst = book.doubted("c", now: first)
    #expect(verdict.isAccepted && isFirst)
    #expect(book.provisional["c"]?.doubtedAt == first)

    _ = book.readmit(ticket, now: again)
    let isAbsent = book.proveAbsent("c")
    let isFirstAgain = book.doubted("c", now: last)
    #expect(!isAbsent && !isFirstAgain)
    #expect(book.provisional["c"]?.doubtedAt == last)

    let isAbsentNow = book.proveAbsent("c")
    #expect(isAbsentNow && book.provisional.isEmpty)
  }

  @Test func `RSK-04 a replacement in doubt gives nothing back until it is proven absent`() throws {
    var book = try replacing(by: "3")

    book.follow(try order(3, .partiallyFilled, "1", open: "0.5", filled: "0.5"))
    #expect(reserved(book) == "2.5")
    book.giveUpReplacing(id)

    #expect(reserved(book) == "0.5" && !book.isReplacing(id))
  }

  @Test func `RSK-04 what the oms told before it took a replacement gives nothing back`() throws {
    var book = try replacing(by: "3")
    #expect(reserved(book) == "3" && book.isReplacing(id))

    book.follow(try order(3, .partiallyFilled, "1", open: "0.5", filled: "0.5"))
    #expect(reserved(book) == "2.5")
    book.expect(id, version: 5)
    book.follow(try order(4, .partiallyFilled, "1", open: "0.4", filled: "0.6"))
    #expect(reserved(book) == "2.4")

    // From here on the oms's word counts: the worst case of both, then what has become of it.
    book.follow(try order(5, .pendingReplace, "1", open: "2.4", filled: "0.6"))
    #expect(reserved(book) == "2.4" && !book.isReplacing(id))
    book.follow(try order(6, .partiallyFilled, "1", open: "0.4", filled: "0.6"))
    #expect(reserved(book) == "0.4")
  }

  @Test func `RSK-04 an answer that events have overtaken gives back what they said`() throws {
    var book = try replacing(by: "3")
    book.follow(try order(3, .pendingReplace, "1", open: "3"))
    book.follow(try order(4, .new, "1", open: "1"))
    #expect(reserved(book) == "3")

    book.expect(id, version: 3)

    #expect(reserved(book) == "1" && !book.isReplacing(id))
  }

  @Test func `RSK-04 a smaller quantity frees nothing until it is in force`() throws {
    var book = try replacing(by: "0.25")
    book.expect(id, version: 3)
    for (version, status) in [(3, TypeV1.OrderStatus.pendingReplace), (4, .unknown)] {
      book.follow(try order(UInt32(version), status, "1", open: "1"))
      #expect(reserved(book) == "1")
    }
    book.follow(try order(5, .new, "0.25", open: "0.25"))
    #expect(reserved(book) == "0.25")
    book.follow(try order(6, .cancelled, "0.25"))
    #expect(reserved(book) == "0")
  }
}
