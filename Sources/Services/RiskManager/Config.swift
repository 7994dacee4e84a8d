internal import Risk
package import ServiceKit
internal import Units

package struct Config: ServiceSettings {
  let limits: RiskLimits
  let heartbeat: Duration
  let durableWait: Duration
  let readersMax: Int

  package init(_ settings: SettingsReader) {
    let positive = Decimal.zero...Decimal(units: .max, scale: 0)
    let account = AccountLimits(
      ordersPerSecond: settings.int(
        "orders_per_second", in: 1...1_000_000, default: 100, unit: "orders",
        "Most orders in any second; taken over when nobody has set limits yet."),
      ordersPerMinute: settings.int(
        "orders_per_minute", in: 1...1_000_000, default: 1_000, unit: "orders",
        "Most orders in any minute; taken over when nobody has set limits yet."),
      maxDailyLoss: settings.decimal(
        "max_daily_loss", in: positive, default: "100000", unit: "USDT",
        "Loss since 00:00 UTC, realised and unrealised, at which orders are refused."),
      maxGrossExposure: nil, referenceAgeMax: AccountLimits.standard.referenceAgeMax)
    let symbol = SymbolLimits(
      lot: settings.decimal(
        "lot", in: positive, default: "1", unit: "base currency", "What a lot is."),
      maxOrderSize: settings.decimal(
        "max_order_size", in: positive, default: "10", unit: "lots", "Largest order."),
      maxLongPosition: settings.decimal(
        "max_long", in: positive, default: "10", unit: "lots",
        "Largest long position, open buys counted."),
      maxShortPosition: settings.decimal(
        "max_short", in: positive, default: "10", unit: "lots",
        "Largest short position, open sells counted."),
      maxNotional: settings.decimal(
        "max_notional", in: positive, default: "1000000", unit: "USDT",
        "Largest notional of an order."),
      priceBand: nil)
    limits = RiskLimits(currency: "USDT", account: account, standard: symbol, symbols: [:])
    heartbeat = settings.duration(
      "heartbeat", in: .milliseconds(50)...(.seconds(60)), default: .seconds(1),
      "Gates hear the limits again at least this often.")
    durableWait = settings.duration(
      "durable_wait", in: .milliseconds(1)...(.seconds(10)), default: .milliseconds(50),
      "An engaged kill switch that is not on disk by then is answered with a warning.")
    readersMax = settings.int(
      "readers_max", in: 1...100_000, default: 1_000, unit: "streams",
      "More streams are refused with RESOURCE_EXHAUSTED.")
  }
}
