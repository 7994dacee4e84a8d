package import ServiceKit

package struct Config: ServiceSettings {
  let tokenLife: Duration
  let hashesAtOnceMax: Int
  let hashesWaitingMax: Int

  package init(_ settings: SettingsReader) {
    tokenLife = settings.duration(
      "token_life", in: .seconds(10)...(.seconds(86_400)), default: .seconds(3600),
      "How long a token is good for.")
    hashesAtOnceMax = settings.int(
      "hashes_at_once_max", in: 1...64, default: 2, unit: "hashes",
      "Passwords hashed at the same time; each takes some 100 ms of a core and 32 MB.")
    hashesWaitingMax = settings.int(
      "hashes_waiting_max", in: 0...10_000, default: 64, unit: "logins",
      "Logins that wait for their hash; more are refused with RESOURCE_EXHAUSTED.")
  }
}
