import Calls
import Chrono
import Contracts
import Loop
import PortfolioManagerService
import ServiceKit
import TestKit
import Testing
import Wire

@Suite struct `The portfolio-manager` {
  /// It reads a real oms, whose fills a script tells.
  private func with(
    _ body:
      @escaping @Sendable (
        OMSDesk, ScriptedBooks, PortfolioV1.PortfolioServiceClient
      ) async throws -> Void
  ) async throws {
    try await withOMS { desk in
      let books = ScriptedBooks(bid: "50000", ask: "50000")
      desk.world.serve("orderbook", books.methods)
      let running = try await desk.world.start(PortfolioManager.self)
      try #require(await running.ready())
      do { try await body(desk, books, .init(channel: running.channel)) } catch {
        await running.drop()
        throw error
      }
      await running.drop()
    }
  }

  private func trade(
    _ desk: OMSDesk, _ name: String, _ side: TypeV1.Side, _ quantity: String, at price: String,
    fee: String, in asset: String = "USDT"
  ) async throws {
    var order = OMSDesk.order(name, quantity, at: price)
    order.side = side
    let id = try #require(try await desk.accept(order).order).orderId
    desk.router.report(.acknowledged, id)
    desk.router.report(.fill, id, fill: fill("E-" + name, quantity, at: price, fee: fee, in: asset))
    _ = try await desk.order(id) { $0.status == .filled }
  }

  @Test func `POS-02 POS-03 positions and profit are those of a ledger kept by hand`() async throws
  {
    try await with { desk, books, client in
      try await trade(desk, "1", .buy, "1.5", at: "50000", fee: "7.5")
      try await trade(desk, "2", .buy, "0.5", at: "50100", fee: "2.505")
      try await trade(desk, "3", .sell, "0.7", at: "50300", fee: "3.521")
      books.say(bid: "50199.99", ask: "50200.01")

      var portfolio = PortfolioV1.Portfolio()
      #expect(
        await eventually {
          do { portfolio = try await client.getPortfolio(.init()) } catch { return false }
          return portfolio.positions.first?.fills == 3
            && text(portfolio.positions.first?.markPrice) == "50200"
        })
      let position = try #require(portfolio.positions.first)
      // Cost 75000 + 25050 = 100050 for 2; 0.7 of it cost 35017.5 and brought 35210.
      #expect(text(position.quantity) == "1.3")
      #expect(text(position.cost) == "65032.5")
      #expect(text(position.averagePrice) == "50025")
      #expect(text(position.realisedPnl) == "192.5")
      // 1.3 x 50200 - 65032.5
      #expect(text(position.unrealisedPnl) == "227.5")
      #expect(text(position.boughtQuantity) == "2")
      #expect(text(position.soldQuantity) == "0.7")
      #expect(text(portfolio.fees) == "13.526")
      #expect(text(portfolio.netPnl) == "406.474")
      #expect(text(portfolio.grossExposure) == "65260")
      let sequence = try await desk.oms.getTradingState(.init()).sequence
      #expect(portfolio.asOfSequence == sequence)
    }
  }

  @Test func `POS-06 today's price is of today, also while earlier days are read`() async throws {
    try await withOMS { desk in
      let books = ScriptedBooks(bid: "50100", ask: "50100")
      desk.world.serve("orderbook", books.methods)
      // Enough of them that marks come before the last.
      for number in 1...50 {
        try await trade(desk, "\(number)", .buy, "0.02", at: "50000", fee: "0")
      }
      desk.world.time.advance(by: .seconds(86_400))
      for _ in 0..<2 {
        let running = try await desk.world.start(PortfolioManager.self)
        let portfolio = PortfolioV1.PortfolioServiceClient(channel: running.channel)
        try #require(await running.ready())
        #expect(
          await eventually {
            books.say(bid: "50100", ask: "50100")
            let told = try? await portfolio.getPortfolio(.init())
            return text(told?.positions.first?.markPrice) == "50100"
          })
        let told = try await portfolio.getPortfolio(.init())
        #expect(text(told.dailyPnl) == "100")
        await running.drop()
      }
    }
  }

  @Test func `a restart folds the same portfolio from the oms's events`() async throws {
    try await withOMS { desk in
      let books = ScriptedBooks(bid: "50000", ask: "50000")
      desk.world.serve("orderbook", books.methods)
      for number in 1...20 {
        try await trade(
          desk, "\(number)", number % 3 == 0 ? .sell : .buy, "0.0\(number)",
          at: "\(50000 + number).01", fee: "0.\(number)")
      }
      var told: [[UInt8]] = []
      for _ in 0..<2 {
        let running = try await desk.world.afterPowerLoss().startPortfolio(beside: desk)
        let portfolio = PortfolioV1.PortfolioServiceClient(channel: running.channel)
        try #require(await running.ready())
        #expect(
          await eventually {
            // A top that comes before the instruments are known is not kept.
            books.say(bid: "50000", ask: "50000")
            return (try? await portfolio.getPortfolio(.init()).positions.first?.markPrice) != nil
          })
        told.append(try await portfolio.getPortfolio(.init()).encoded())
        await running.drop()
      }
      #expect(told[0] == told[1])
      #expect(!told[0].isEmpty)
    }
  }
}

extension ServiceWorld {
  fileprivate func startPortfolio(
    beside desk: OMSDesk
  ) async throws -> RunningService<PortfolioManager> {
    for name in ["oms", "orderbook", "market-connector"] as [ServiceName] {
      serve(name, desk.world.methods(of: name))
    }
    return try await start(PortfolioManager.self)
  }
}
