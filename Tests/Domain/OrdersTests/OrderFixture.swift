import Chrono
import Orders
import Units
import Venue

let start = Instant(nanoseconds: 1_700_000_000_000_000_000)

func limitOrder(quantity: Int64 = 100, price: Int64 = 50_000, side: Side = .buy) -> Order {
  Order(
    id: OrderID(42), clientOrderID: "mine-1", account: "main", strategy: "",
    instrument: InstrumentID(0), side: side, type: .limit, timeInForce: .gtc,
    price: Price(price), quantity: Quantity(quantity), createdTime: start)
}

func fill(_ id: String, _ quantity: Int64, at price: Int64 = 50_000) -> VenueFill {
  VenueFill(
    executionID: id, price: Price(price), quantity: Quantity(quantity), fee: .zero,
    feeAsset: "USDT", isMaker: true, exchangeTime: start)
}

func filled(_ id: String, _ quantity: Int64, at price: Int64 = 50_000, total: Int64? = nil)
  -> OrderEvent
{
  .filled(fill(id, quantity, at: price), venueFilled: total.map { Quantity($0) })
}

/// An order that has taken these events, each without a fault.
func lifecycle(
  _ events: [OrderEvent], of order: Order = limitOrder()
) throws -> OrderLifecycle {
  var lifecycle = OrderLifecycle(order)
  for event in events { _ = try lifecycle.apply(event, at: start) }
  return lifecycle
}

let working: [OrderEvent] = [.accepted, .sentToVenue, .venueAcknowledged(venueOrderID: "V1")]
