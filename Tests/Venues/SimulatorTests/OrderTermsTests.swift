import Chrono
import OrderBook
import Seeds
import SimulatorKit
import Testing
import Units
import Venue

@testable import VenueSimulator

/// Every order type at once, by chance: money must add up whatever happens.
@Suite struct `Order terms` {
  private func check(_ exchange: borrowing SimulatedExchange) {
    for account in exchange.accounts.indices {
      let open = exchange.ledger.openOrders(account: account, market: nil)
      for (asset, balance) in exchange.accounts[account].balances {
        let instrument = exchange.markets[0].settings.instrument
        let locked = open.filter { ($0.side == .buy ? instrument.quote : instrument.base) == asset }
          .reduce(AssetAmount.zero) { $0 + $1.locked }
        #expect(balance.locked == locked)
        #expect(balance.free >= .zero)
      }
      #expect(open.allSatisfy { $0.remaining > .zero })
    }
  }

  @Test(arguments: VenueDialect.allCases)
  func `OB-08 whatever the orders, locked money is what open orders hold and nothing is overspent`(
    dialect: VenueDialect
  ) throws {
    for seed in UInt64(1)...2 {
      var random = SeededGenerator(seed: seed)
      let start = DialectClient.start
      var exchange = SimulatedExchange(settings: try RandomOrders.settings(dialect), start: start)
      exchange.advance(to: start + .seconds(5))
      var (triggered, prevented, shown) = (0, 0, 0)
      for step in 1...1_000 {
        exchange.advance(to: start + .seconds(5) + .milliseconds(step * 40))
        let open = exchange.ledger.openOrders(account: step % 2, market: nil)
        do throws(Refusal) {
          if step % 7 == 0, let order = open.randomElement(using: &random) {
            _ = try exchange.withdraw(order, by: "")
          } else if step % 11 == 0, let order = open.randomElement(using: &random) {
            let lot = exchange.markets[0].settings.instrument.lotSize
            _ = try exchange.amend(order, Amendment(quantity: order.quantity - lot))
          } else {
            _ = try exchange.enter(RandomOrders.ticket(exchange, &random))
          }
        } catch {}
        check(exchange)
        for happening in exchange.takeHappenings() {
          guard case .report(let order, let cause, _) = happening.what else { continue }
          switch cause {
          case .triggered: triggered += 1
          case .prevented: prevented += 1
          default: if order.terms.display != nil { shown += 1 }
          }
        }
      }
      #expect(triggered > 10 && prevented > 10 && shown > 10, "\(dialect), seed \(seed)")
      // Coming back after a stop, the same orders are open or have found takers.
      let records = exchange.stateRecords.map { $0.line(exchange.recordNames) }
      var again = SimulatedExchange(
        settings: try RandomOrders.settings(dialect), start: exchange.now)
      var restored: [ExchangeRecord] = []
      for line in records {
        restored.append(try #require(try ExchangeRecord(line: line, again.recordNames)))
      }
      again.restore(restored)
      check(again)
    }
  }
}
