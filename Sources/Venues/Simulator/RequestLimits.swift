internal import Chrono

/// Counts request weight by address and minute, and new orders by account and ten seconds.
struct RequestLimits {
  private struct Window {
    var index: Int64
    var used: Int
  }

  private let weightMax: Int
  private let ordersMax: Int
  private var weights: [String: Window] = [:]
  private var orders: [Int: Window] = [:]

  /// Addresses remembered at a time; beyond it those of past minutes are forgotten.
  private static let addressesMax = 10_000

  init(weightPerMinuteMax: Int, ordersPerTenSecondsMax: Int) {
    weightMax = weightPerMinuteMax
    ordersMax = ordersPerTenSecondsMax
  }

  /// The weight used in this minute, this request included; throws over the limit.
  mutating func spend(
    _ weight: Int, address: String, now: Instant
  ) throws(DialectError) -> Int {
    let minute = now.seconds / 60
    if weights.count > Self.addressesMax { weights = weights.filter { $0.value.index == minute } }
    var window = weights[address] ?? Window(index: minute, used: 0)
    if window.index != minute { window = Window(index: minute, used: 0) }
    window.used += weight
    weights[address] = window
    guard window.used <= weightMax else { throw .tooManyRequests(weightMax) }
    return window.used
  }

  mutating func countOrder(account: Int, now: Instant) throws(DialectError) {
    let slot = now.seconds / 10
    var window = orders[account] ?? Window(index: slot, used: 0)
    if window.index != slot { window = Window(index: slot, used: 0) }
    window.used += 1
    orders[account] = window
    guard window.used <= ordersMax else { throw .tooManyOrders(ordersMax) }
  }
}
