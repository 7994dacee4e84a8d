import Chrono
import Execution
import Orders
import Seeds
import Units
import Venue

/// A venue that holds orders under their client ids, changes them in place as it likes, and fills
/// them when it likes. What it says of an order is true when it is said.
struct AmendingVenue {
  struct Holding {
    var order: VenueOrder
    var filled: Int64 = 0
    var end: VenueOrderStatus?
    var executions: [VenueFill] = []

    var status: VenueOrderStatus { end ?? (filled > 0 ? .partiallyFilled : .new) }
  }

  private(set) var holdings: [String: Holding] = [:]

  var filled: Int64 { holdings.values.reduce(0) { $0 + $1.filled } }
  var open: [String] { holdings.filter { $0.value.end == nil }.keys.sorted() }

  func report(of id: String, fill: VenueFill? = nil) -> VenueReport? {
    guard let holding = holdings[id] else { return nil }
    return VenueReport(
      instrument: holding.order.instrument, clientOrderID: id, venueOrderID: "V-\(id)",
      status: holding.status, filledQuantity: Quantity(holding.filled), fill: fill,
      exchangeTime: start, price: holding.order.price, quantity: holding.order.quantity)
  }

  mutating func place(_ order: VenueOrder) -> VenueOutcome {
    if holdings[order.clientOrderID] == nil {
      holdings[order.clientOrderID] = Holding(order: order)
    }
    return report(of: order.clientOrderID).map(VenueOutcome.acknowledged)!
  }

  /// Trades a part of an open order, or all of it; nil when nothing is open.
  mutating func trade(_ id: String, _ quantity: Int64) -> VenueReport? {
    guard var holding = holdings[id], holding.end == nil else { return nil }
    let part = min(quantity, holding.order.quantity.raw - holding.filled)
    let fill = VenueFill(
      executionID: "E-\(id)-\(holding.executions.count)", price: holding.order.price!,
      quantity: Quantity(part), fee: .zero, feeAsset: "USDT", isMaker: true, exchangeTime: start)
    holding.filled += part
    holding.executions.append(fill)
    if holding.filled == holding.order.quantity.raw { holding.end = .filled }
    holdings[id] = holding
    return report(of: id, fill: fill)
  }

  mutating func end(_ id: String, _ status: VenueOrderStatus) -> VenueOutcome {
    guard let holding = holdings[id], holding.end == nil else {
      return .rejected(.unknownOrder, text: "gone")
    }
    holdings[id]?.end = status
    return .acknowledged(report(of: id)!)
  }

  /// In place, or as venues do when the new quantity has filled already: the rest is cancelled
  /// (Kraken), the order counts as filled (OKX), or nothing is changed (Binance).
  mutating func amend(
    _ change: VenueAmendment, _ random: inout SeededGenerator
  ) -> (outcome: VenueOutcome, notInPlace: Bool) {
    let id = change.clientOrderID
    guard var holding = holdings[id], holding.end == nil else {
      return (.rejected(.unknownOrder, text: "gone"), false)
    }
    switch Int.random(in: 0..<8, using: &random) {
    case 0: return (.rejected(.venuePolicy, text: "not in place"), true)
    case 1: return (.rejected(.priceBands, text: "too far"), false)
    default: break
    }
    if let quantity = change.quantity, quantity.raw <= holding.filled {
      switch Int.random(in: 0..<3, using: &random) {
      case 0: return (.rejected(.invalidOrder, text: "filled"), false)
      case 1: holding.end = .filled
      default: holding.end = .cancelled
      }
    } else {
      holding.order.quantity = change.quantity ?? holding.order.quantity
      holding.order.price = change.price ?? holding.order.price
    }
    holdings[id] = holding
    return (.acknowledged(report(of: id)!), false)
  }
}
