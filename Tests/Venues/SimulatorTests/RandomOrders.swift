import Chrono
import OrderBook
import Seeds
import SimulatorKit
import Units
import Venue

@testable import VenueSimulator

/// Orders of every type by chance, of two accounts of one market.
enum RandomOrders {
  static func settings(_ dialect: VenueDialect) throws -> ExchangeSettings {
    var settings =
      switch dialect {
      case .binance: DialectClient.settings()
      case .kraken: try KrakenClient.settings()
      case .okx: OKXClient.settings()
      }
    settings.markets = [settings.markets[0]]
    settings.accounts.append(
      SimulatedAccountSettings(
        apiKey: "bob", secret: [], balances: settings.accounts[0].balances))
    return settings
  }

  static func ticket(
    _ exchange: borrowing SimulatedExchange, _ random: inout SeededGenerator
  ) -> OrderTicket {
    let market = exchange.markets[0]
    let instrument = market.settings.instrument
    let last = (market.engine.lastTradePrice ?? market.settings.anchor).raw
    func near(_ spread: Int64) -> Price {
      let tick = instrument.tickSize.raw
      return Price((last + Int64.random(in: -spread...spread, using: &random)) / tick * tick)
    }
    var ticket = OrderTicket(
      account: Int.random(in: 0...1, using: &random), market: 0,
      defaultPrevention: SelfTradePrevention.allCases.randomElement(using: &random)!)
    ticket.side = Bool.random(using: &random) ? .buy : .sell
    ticket.quantity = Quantity(
      Int64.random(in: 1...20, using: &random) * market.settings.typicalQuantity.raw / 4
        / instrument.lotSize.raw * instrument.lotSize.raw)
    let spread = market.settings.rung.raw * 20
    switch Int.random(in: 0...5, using: &random) {
    case 0:
      ticket.type = .market
      ticket.timeInForce = .ioc
    case 1:
      ticket.price = near(spread)
      ticket.timeInForce = TimeInForce.allCases.randomElement(using: &random)!
    case 2:
      ticket.price = near(spread)
      ticket.terms.display = Quantity(
        max(1, ticket.quantity.raw / 3 / instrument.lotSize.raw) * instrument.lotSize.raw)
    case 3:
      ticket.type = .market
      ticket.terms.trigger = near(spread)
    case 4:
      ticket.price = near(spread)
      ticket.terms.trigger = near(spread)
    default: ticket.price = near(spread)
    }
    return ticket
  }
}
