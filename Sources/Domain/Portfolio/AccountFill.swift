package import Chrono
package import Units
package import Venue

/// A fill of one of an account's own orders, complete in itself: counting it asks for nothing that
/// is listed today.
package struct AccountFill: Sendable, Hashable {
  /// The venue's id of the match. Both legs of a self-trade have the same one.
  package var executionID: String
  package var orderID: String
  package var account: String
  package var market: Market
  package var base: String
  package var quote: String
  package var side: Side
  package var price: Decimal
  package var quantity: Decimal
  package var fee: Decimal
  package var feeAsset: String
  package var time: Instant

  package init(
    executionID: String, orderID: String, account: String, market: Market, base: String,
    quote: String, side: Side, price: Decimal, quantity: Decimal, fee: Decimal, feeAsset: String,
    time: Instant
  ) {
    self.executionID = executionID
    self.orderID = orderID
    self.account = account
    self.market = market
    self.base = base
    self.quote = quote
    self.side = side
    self.price = price
    self.quantity = quantity
    self.fee = fee
    self.feeAsset = feeAsset
    self.time = time
  }

  package init(
    _ fill: VenueFill, orderID: String, side: Side, account: String, instrument: Instrument
  ) {
    self.init(
      executionID: fill.executionID, orderID: orderID, account: account, market: Market(instrument),
      base: instrument.base, quote: instrument.quote, side: side,
      price: instrument.decimal(fill.price), quantity: instrument.decimal(fill.quantity),
      fee: fill.fee, feeAsset: fill.feeAsset, time: fill.exchangeTime)
  }
}
