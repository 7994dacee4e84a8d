package import Chrono
package import Venue

/// Keeps new orders within what their venues take, so that a venue need not refuse one that was
/// accepted here.
///
/// Venues count in windows of their own clock, or by a counter that falls. Here no window of that
/// length holds more, wherever it begins; so none of the venue's does either, but for orders that
/// take unequally long to get there.
package struct VenueOrderRates: Sendable {
  private var counts: [Key: [Count]] = [:]

  private struct Key: Hashable {
    let venue: VenueID
    /// Nil for what all instruments of the venue share.
    let instrument: InstrumentID?
  }

  package init() {}

  /// The limits of an instrument as its venue tells them; what was counted stays where they are the
  /// same.
  package mutating func set(_ limits: [OrderLimit], of instrument: Instrument) {
    set(limits.filter(\.isPerInstrument), Key(venue: instrument.venue, instrument: instrument.id))
    set(limits.filter { !$0.isPerInstrument }, Key(venue: instrument.venue, instrument: nil))
  }

  private mutating func set(_ limits: [OrderLimit], _ key: Key) {
    guard limits != counts[key, default: []].map(\.limit) else { return }
    counts[key] = limits.map { Count(limit: $0) }
  }

  /// The limit that has no room for one more order, and when it has; nil when all have. Counts
  /// nothing.
  package func refusal(of instrument: Instrument, at now: Uptime) -> VenueRateRefusal? {
    keys(instrument).lazy.flatMap { counts[$0] ?? [] }.compactMap { count in
      let wait = count.wait(at: now)
      return wait > .zero ? VenueRateRefusal(limit: count.limit, wait: wait) : nil
    }.max { $0.wait < $1.wait }
  }

  /// Counts one order.
  package mutating func record(_ instrument: Instrument, at now: Uptime) {
    for key in keys(instrument) {
      guard let indices = counts[key]?.indices else { continue }
      for index in indices { counts[key]?[index].record(at: now) }
    }
  }

  private func keys(_ instrument: Instrument) -> [Key] {
    [
      Key(venue: instrument.venue, instrument: instrument.id),
      Key(venue: instrument.venue, instrument: nil),
    ]
  }
}

package struct VenueRateRefusal: Sendable, Hashable {
  package let limit: OrderLimit
  /// After so long there is room for one.
  package let wait: Duration
}

/// What is taken of one limit.
private struct Count {
  let limit: OrderLimit
  /// When the last orders were admitted, as a ring: as many as one window may hold.
  private var times: [UInt64] = []
  private var next = 0
  /// In hundredths of an order, as of `since`.
  private var level: Int64 = 0
  private var since: UInt64 = 0

  init(limit: OrderLimit) { self.limit = limit }

  func wait(at now: Uptime) -> Duration {
    switch limit.rule {
    case .window(let length):
      guard times.count >= limit.ordersMax else { return .zero }
      let oldest = times[next]
      // A clock that stepped back counts as no time at all.
      let passed = now.nanoseconds > oldest ? now.nanoseconds - oldest : 0
      let whole = UInt64(length.wholeNanoseconds)
      return passed >= whole ? .zero : .nanoseconds(Int64(whole - passed))
    case .decay(let perSecond):
      let over = fallen(to: now, perSecond) + 100 - Int64(limit.ordersMax) * 100
      guard over > 0 else { return .zero }
      return .nanoseconds((over * 1_000_000_000 + Int64(perSecond) - 1) / Int64(perSecond))
    }
  }

  mutating func record(at now: Uptime) {
    switch limit.rule {
    case .window:
      if times.count < limit.ordersMax {
        times.append(now.nanoseconds)
      } else {
        times[next] = now.nanoseconds
        next = next + 1 == times.count ? 0 : next + 1
      }
    case .decay(let perSecond):
      level = fallen(to: now, perSecond) + 100
      since = now.nanoseconds
    }
  }

  private func fallen(to now: Uptime, _ perSecond: Int) -> Int64 {
    let passed = now.nanoseconds > since ? now.nanoseconds - since : 0
    // An hour lowers any counter to nothing, and the product stays small.
    let milliseconds = Int64(min(passed / 1_000_000, 3_600_000))
    return max(0, level - milliseconds * Int64(perSecond) / 1_000)
  }
}
