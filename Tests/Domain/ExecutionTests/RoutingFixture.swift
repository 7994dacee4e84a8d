import Chrono
import Execution
import Orders
import Units
import Venue

let start = Instant(nanoseconds: 1_700_000_000_000_000_000)

func parent(_ id: UInt64 = 1, quantity: Int64 = 100) -> ParentOrder {
  ParentOrder(
    id: OrderID(id), instrument: InstrumentID(0), side: .buy, type: .limit, timeInForce: .gtc,
    terms: OrderTerms(price: Price(100_00), quantity: Quantity(quantity)))
}

func childID(_ sequence: UInt32 = 1, of parent: UInt64 = 1) -> String {
  ChildID(parent: OrderID(parent), sequence: sequence).text
}

func report(
  _ status: VenueOrderStatus, filled: Int64 = 0, fill: (String, Int64)? = nil,
  _ sequence: UInt32 = 1,
  of parent: UInt64 = 1
) -> VenueReport {
  VenueReport(
    instrument: InstrumentID(0), clientOrderID: childID(sequence, of: parent),
    venueOrderID: "V\(parent)-\(sequence)", status: status, filledQuantity: Quantity(filled),
    fill: fill.map {
      VenueFill(
        executionID: $0.0, price: Price(100_00), quantity: Quantity($0.1), fee: .zero,
        feeAsset: "USDT", isMaker: true, exchangeTime: start)
    }, exchangeTime: start)
}

/// The ledger after these events, with the effects of the last one.
func ledger(_ events: [RoutingEvent]) -> (ledger: RoutingLedger, effects: [RoutingEffect]) {
  var ledger = RoutingLedger()
  var effects: [RoutingEffect] = []
  for event in events { effects = ledger.apply(event).effects }
  return (ledger, effects)
}
