package import ServiceKit

package struct Config: ServiceSettings {
  let leaseMax: Duration
  let leaseDefault: Duration
  let instancesMax: Int
  let watchersMax: Int
  let watchBacklogMax: Int

  package init(_ settings: SettingsReader) {
    leaseMax = settings.duration(
      "lease_max", in: .seconds(1)...(.seconds(300)), default: .seconds(60),
      "The longest lease that is granted; longer wishes get this.")
    leaseDefault = settings.duration(
      "lease_default", in: .seconds(1)...(.seconds(300)), default: .seconds(5),
      "The lease of an instance that asks for none.")
    instancesMax = settings.int(
      "instances_max", in: 1...1_000_000, default: 10_000, unit: "instances",
      "More are refused with RESOURCE_EXHAUSTED.")
    watchersMax = settings.int(
      "watchers_max", in: 1...100_000, default: 1_000, unit: "streams",
      "More are refused with RESOURCE_EXHAUSTED.")
    watchBacklogMax = settings.int(
      "watch_backlog_max", in: 16...1_000_000, default: 10_000, unit: "events",
      "A watcher further behind is ended with RESOURCE_EXHAUSTED and watches anew.")
    settings.check(leaseDefault <= leaseMax, "lease_default must not exceed lease_max")
  }
}
