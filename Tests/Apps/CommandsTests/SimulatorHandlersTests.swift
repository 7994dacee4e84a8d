import Calls
import Chrono
import Contracts
import Loop
import Telemetry
import TestKit
import Testing
import Transport
import Units
import VenueSimulator

@testable import Commands

/// The simulator's own calls, over a real port.
@Suite struct `Simulator calls` {
  private static let key = "key"

  private func withSimulator(
    _ body: @escaping @Sendable (SimulatorV1.SimulatorServiceClient) async throws -> Void
  ) async throws {
    try await withLoop { loop in
      var configuration = VenueSimulatorConfiguration(
        address: .tcp(host: "127.0.0.1", port: 0), tls: nil,
        exchange: ExchangeSettings(
          accounts: [
            SimulatedAccountSettings(
              apiKey: Self.key, secret: [1], balances: ["USDT": Decimal(units: 5, scale: 1)])
          ], seed: 1))
      configuration.methods = { SimulatorHandlers(venues: $0).methods }
      let server = try VenueSimulatorServer(
        configuration, time: SystemTime(), loop: loop, log: .silent)
      let address = try await server.start()
      let channel = NetworkChannel(
        to: "venue-sim", at: [address], options: ChannelOptions(), loop: loop)
      try await body(SimulatorV1.SimulatorServiceClient(channel: channel))
      channel.close()
      await server.stop()
    }
  }

  @Test func `MD-03 faults are put in place by name, and a wrong one is refused with its field`()
    async throws
  {
    try await withSimulator { client in
      var request = SimulatorV1.InjectFaultRequest()
      request.venue = "binance"
      request.kind = .halt
      request.symbol = "BTCUSDT"
      _ = try await client.injectFault(request)
      var ask = SimulatorV1.GetSimulatedBookRequest()
      ask.venue = "binance"
      ask.symbol = "BTCUSDT"
      ask.levelsMax = 5
      let book = try await client.getSimulatedBook(ask)
      #expect(book.isHalted && book.bids.count == 5 && book.asks.count == 5)

      request.symbol = "NOPE"
      let wrong = await #expect(throws: RPCError.self) { try await client.injectFault(request) }
      #expect(wrong?.code == .invalidArgument)
      #expect(wrong?.message.contains("symbol") == true)
      request.kind = .ban
      let short = await #expect(throws: RPCError.self) { try await client.injectFault(request) }
      #expect(short?.message.contains("duration") == true)
    }
  }

  @Test func `an account is shown as the exchange has it`() async throws {
    try await withSimulator { client in
      var ask = SimulatorV1.GetSimulatedAccountRequest()
      ask.venue = "binance"
      ask.apiKey = Self.key
      let account = try await client.getSimulatedAccount(ask)
      #expect(account.balances.map(\.asset) == ["USDT"])
      #expect(account.balances.first?.free?.units == 50_000_000)
      #expect(account.openOrders.isEmpty)
    }
  }
}
