internal import OrderBook

/// In which asset a fee is taken.
package enum FeeAsset: Sendable, Hashable {
  /// In what the order receives, as Binance does: base for a buy, quote for a sell.
  case received
  case quote
}

/// Everything that makes one simulated exchange differ from another.
package struct ExchangeSettings: Sendable {
  package var dialect: VenueDialect
  package var markets: [SimulatedMarket]
  package var accounts: [SimulatedAccountSettings]
  package var seed: UInt64
  package var makerFeeBasisPoints: Int64
  package var takerFeeBasisPoints: Int64
  package var feeAsset: FeeAsset
  /// Request weight of one address in a minute. Binance allows 6,000; ten times that by default, for
  /// all of a machine share one address here.
  package var requestWeightPerMinuteMax: Int
  /// New orders of one account in ten seconds.
  package var ordersPerTenSecondsMax: Int
  /// What a client of Kraken may do, and by how much more than documented it and OKX's limits are
  /// here: 1 is as the venues have them. A machine's processes share one account, so 100 by default.
  package var krakenTier = KrakenTier.pro
  package var limitFactor = 100
  /// Closed orders, and fills, that are kept for queries; the oldest go first.
  package var historyMax: Int
  package var listenKeyLifetime: Duration
  /// OKX gave a checksum with each book message until 2026 and gives zero since.
  package var hasOKXChecksums = false
  /// A stop without a limit trades at most so far beyond its trigger; what is left then expires. So
  /// what a buying one may spend is known, and locked, from the start.
  package var stopCollarPercent: Int64 = 5

  package init(
    dialect: VenueDialect = .binance,
    markets: [SimulatedMarket] = SimulatedMarket.standard, accounts: [SimulatedAccountSettings],
    seed: UInt64, makerFeeBasisPoints: Int64 = 10, takerFeeBasisPoints: Int64 = 10,
    feeAsset: FeeAsset = .quote, requestWeightPerMinuteMax: Int = 60_000,
    ordersPerTenSecondsMax: Int = 10_000, historyMax: Int = 100_000,
    listenKeyLifetime: Duration = .seconds(3_600)
  ) {
    self.dialect = dialect
    self.markets = markets
    self.accounts = accounts
    self.seed = seed
    self.makerFeeBasisPoints = makerFeeBasisPoints
    self.takerFeeBasisPoints = takerFeeBasisPoints
    self.feeAsset = feeAsset
    self.requestWeightPerMinuteMax = requestWeightPerMinuteMax
    self.ordersPerTenSecondsMax = ordersPerTenSecondsMax
    self.historyMax = historyMax
    self.listenKeyLifetime = listenKeyLifetime
  }
}

extension ExchangeSettings {
  /// As Binance documents them (rest-api.md, "Limits").
  package static let binanceWeightPerMinute = 6_000
  package static let binanceOrdersPerTenSeconds = 100

  /// What an order that does not say gets: Binance's `defaultSelfTradePreventionMode` of
  /// exchangeInfo, Kraken's `stptype` and OKX's `acctStpMode` as documented.
  var defaultSelfTradePrevention: SelfTradePrevention {
    switch dialect {
    case .binance: .none
    case .kraken: .newest
    case .okx: .oldest
    }
  }

  /// Parts that an iceberg may have: Binance's filter ICEBERG_PARTS, and Kraken's fifteenth.
  var icebergPartsMax: Int64 { dialect == .kraken ? 15 : 10 }

  /// Lists the market of a recording, in the place of one of its name; returns which it is.
  mutating func adopt(_ capture: MarketCapture) -> Int {
    if dialect == .okx, capture.hasChecksums { hasOKXChecksums = true }
    if let index = markets.firstIndex(where: { $0.symbol == capture.symbol }) {
      markets[index] = capture.market
      return index
    }
    markets.append(capture.market)
    return markets.count - 1
  }

  /// Its depth messages carry a checksum that a fault can spoil.
  var hasChecksums: Bool { dialect == .kraken || dialect == .okx && hasOKXChecksums }
}
