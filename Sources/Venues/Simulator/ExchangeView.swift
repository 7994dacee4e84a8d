package import Units
package import Venue

/// A market's book as the exchange itself has it: what a client's own book must equal.
package struct ExchangeBook: Sendable, Hashable {
  package var symbol: String
  package var updateID: UInt64
  package var isHalted: Bool
  package var priceScale: UInt8
  package var quantityScale: UInt8
  /// Best first.
  package var bids: [PriceLevel]
  package var asks: [PriceLevel]
}

/// An account as the exchange itself knows it.
package struct ExchangeAccount: Sendable, Hashable {
  package struct Balance: Sendable, Hashable {
    package var asset: String
    package var free: AssetAmount
    package var locked: AssetAmount
  }

  package struct OpenOrder: Sendable, Hashable {
    package var id: UInt64
    package var symbol: String
    package var clientOrderID: String
    package var side: Side
    package var price: Price
    package var quantity: Quantity
    package var filled: Quantity
    package var priceScale: UInt8
    package var quantityScale: UInt8
  }

  /// By asset.
  package var balances: [Balance]
  /// By number.
  package var openOrders: [OpenOrder]
}

extension SimulatedExchange {
  /// Nil for a symbol that it does not trade.
  func book(of symbol: String, levelsMax: Int) -> ExchangeBook? {
    guard let index = marketBySymbol[symbol] else { return nil }
    let market = markets[index]
    return ExchangeBook(
      symbol: symbol, updateID: market.lastUpdateID, isHalted: market.isHalted,
      priceScale: market.settings.instrument.priceScale,
      quantityScale: market.settings.instrument.quantityScale,
      bids: market.engine.levels(.buy, max: levelsMax),
      asks: market.engine.levels(.sell, max: levelsMax))
  }

  /// Nil for a key that no account has.
  func account(_ apiKey: String) -> ExchangeAccount? {
    guard let index = accountByKey[apiKey] else { return nil }
    let balances = accounts[index].balances.sorted { $0.key < $1.key }.map { asset, balance in
      ExchangeAccount.Balance(asset: asset, free: balance.free, locked: balance.locked)
    }
    let orders = ledger.openOrders(account: index, market: nil).map { order in
      let instrument = markets[order.market].settings.instrument
      return ExchangeAccount.OpenOrder(
        id: order.id, symbol: instrument.venueSymbol, clientOrderID: order.clientOrderID,
        side: order.side, price: order.price, quantity: order.quantity, filled: order.filled,
        priceScale: instrument.priceScale, quantityScale: instrument.quantityScale)
    }
    return ExchangeAccount(balances: balances, openOrders: orders)
  }
}
