internal import Chrono
internal import Contracts
internal import Translation
internal import Units
internal import Venue

/// An order as its trader knows it.
///
/// `@unchecked Sendable`: touched on the scheduler's thread only.
final class StormTicket: @unchecked Sendable {
  let act: Int
  let clientID: String
  let venue: StormVenue
  let instrument: Instrument
  let side: Side
  let type: OrderType
  let timeInForce: TimeInForce
  let price: Price?
  let quantity: Quantity
  /// Set by the first answer that names it.
  var orderID: String?
  /// With this quantity it was taken.
  var taken: Quantity?
  var wasRefused = false
  /// Somebody wanted it gone.
  var wasCancelled = false
  /// When that was first answered.
  var cancelled: Uptime?
  /// When it was last to be changed.
  var replaced: Uptime?

  init(
    act: Int, clientID: String, venue: StormVenue, instrument: Instrument, side: Side,
    type: OrderType, timeInForce: TimeInForce, price: Price?, quantity: Quantity
  ) {
    self.act = act
    self.clientID = clientID
    self.venue = venue
    self.instrument = instrument
    self.side = side
    self.type = type
    self.timeInForce = timeInForce
    self.price = price
    self.quantity = quantity
  }

  /// As the gate is asked for it; `quantity` other than its own is another order under its name.
  func request(quantity other: Quantity? = nil) -> TradingV1.SubmitOrderRequest {
    var request = TradingV1.SubmitOrderRequest()
    request.clientOrderId = clientID
    request.venue = venue.name
    request.symbol = instrument.symbol
    request.side = TypeV1.Side(side)
    request.type = TypeV1.OrderType(type)
    request.timeInForce = TypeV1.TimeInForce(timeInForce)
    request.price = price.map { instrument.wire($0) }
    request.quantity = instrument.wire(other ?? quantity)
    return request
  }

  var description: String {
    let price = price.map { " at \(instrument.decimal($0))" } ?? ""
    return "\(clientID): \(side) \(instrument.decimal(quantity)) \(instrument.symbol) "
      + "\(timeInForce)\(price) at \(venue.name)"
  }
}
