package import ServiceKit

package struct Config: ServiceSettings {
  let levelsMax: Int
  let tradesKeptMax: Int
  let subscribersMax: Int
  let historyMax: Int
  let hashEvery: Int

  package init(_ settings: SettingsReader) {
    levelsMax = settings.int(
      "levels_max", in: 10...1_000_000, default: 20_000, unit: "levels",
      "Levels kept per side of a book; the farthest from the touch give way.")
    tradesKeptMax = settings.int(
      "trades_kept_max", in: 1...100_000, default: 1_000, unit: "trades",
      "Trades kept per book; the oldest give way.")
    subscribersMax = settings.int(
      "subscribers_max", in: 1...100_000, default: 1_000, unit: "streams",
      "More streams are refused with RESOURCE_EXHAUSTED.")
    historyMax = settings.int(
      "history_max", in: 1...1_000_000, default: 1_024, unit: "updates",
      "Updates kept per symbol for readers that resume; one who needs an older one gets a snapshot."
    )
    hashEvery = settings.int(
      "hash_every", in: 1...1_000_000, default: 100, unit: "updates",
      "Every so many updates of a symbol tell the hash of the venue's whole book.")
  }
}
