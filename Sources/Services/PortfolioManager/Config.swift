package import ServiceKit

package struct Config: ServiceSettings {
  let recordInterval: Duration
  let recordLagTimeMax: Duration
  let subscribersMax: Int

  package init(_ settings: SettingsReader) {
    recordInterval = settings.duration(
      "record_interval", in: .milliseconds(10)...(.seconds(60)), default: .milliseconds(100),
      "Positions that changed are written to PostgreSQL this often.")
    recordLagTimeMax = settings.duration(
      "record_lag_time_max", in: .seconds(1)...(.seconds(86_400)), default: .seconds(30),
      "Not SERVING while a change waits longer than this to be written to PostgreSQL.")
    subscribersMax = settings.int(
      "subscribers_max", in: 1...100_000, default: 1_000, unit: "streams",
      "More streams are refused with RESOURCE_EXHAUSTED.")
  }
}
