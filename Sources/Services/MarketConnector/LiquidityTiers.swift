internal import ServiceKit
internal import Venues

/// How deep markets are, where the settings say otherwise than the registry.
struct LiquidityTiers: Sendable {
  private var venues: [String: LiquidityTier] = [:]
  private var symbols: [String: [String: LiquidityTier]] = [:]

  init(_ settings: SettingsReader) {
    let texts = settings.list(
      "liquidity_tiers", maximum: 1_000, default: [],
      "How deep a market is, A, B or C: a venue, perhaps one of its symbols, and the tier.")
    for text in texts {
      let words = text.split(separator: " ").map(String.init)
      guard words.count == 2 || words.count == 3, KnownVenue(rawValue: words[0]) != nil,
        let tier = LiquidityTier(rawValue: words[words.count - 1])
      else {
        settings.check(false, "liquidity_tiers has \(text), not: kraken BTCUSD A")
        continue
      }
      if words.count == 2 {
        venues[words[0]] = tier
      } else {
        symbols[words[0], default: [:]][words[1]] = tier
      }
    }
  }

  func tier(of venue: String, _ symbol: String?) -> LiquidityTier? {
    symbol.flatMap { symbols[venue]?[$0] } ?? venues[venue]
  }
}
