internal import Calls
internal import Contracts
internal import ServiceKit

/// Which service answers which contract: the only thing about routes that the protos do not say.
struct Upstreams: Sendable {
  private let channels: [String: any Channel]
  let methods: [MethodDescriptor]

  private static let all: [(ServiceName, String, [MethodDescriptor])] = [
    ("auth", AuthV1.AuthService.name, AuthV1.AuthService.methods),
    ("discovery", DiscoveryV1.DiscoveryService.name, DiscoveryV1.DiscoveryService.methods),
    ("market-connector", MarketV1.MarketService.name, MarketV1.MarketService.methods),
    ("orderbook", OrderbookV1.OrderbookService.name, OrderbookV1.OrderbookService.methods),
    ("risk-manager", RiskV1.RiskService.name, RiskV1.RiskService.methods),
    ("trading-gateway", TradingV1.TradingService.name, TradingV1.TradingService.methods),
    ("oms", OmsV1.OrderService.name, OmsV1.OrderService.methods),
    ("portfolio-manager", PortfolioV1.PortfolioService.name, PortfolioV1.PortfolioService.methods),
  ]

  init(_ context: ServiceContext) {
    methods = Self.all.flatMap { $0.2 }
    channels = Dictionary(
      uniqueKeysWithValues: Self.all.map { ($0.1, context.channel(to: $0.0)) })
  }

  func channel(for method: MethodDescriptor) -> (any Channel)? { channels[method.service] }
}
