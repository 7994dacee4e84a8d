internal import ServiceKit
internal import SharedRing

/// How the ring of ticks is kept.
struct TickRingSettings: Sendable {
  /// 0: there is no ring.
  let entries: Int
  let refresh: Duration
  let heldMax: Duration

  init(_ settings: SettingsReader) {
    entries = settings.int(
      "tick_ring_entries", in: 0...1 << 24, default: RingWriter.capacityStandard, unit: "ticks",
      "Ticks that the ring in shared memory holds, a power of two from 8 on; 0: there is no ring.")
    settings.check(
      entries == 0 || entries >= 8 && entries.nonzeroBitCount == 1,
      "tick_ring_entries is \(entries), no power of two from 8 on")
    refresh = settings.duration(
      "tick_refresh", in: .milliseconds(1)...(.seconds(60)), default: .milliseconds(250),
      "A book that is heard and whose best prices stay gets a tick this often.")
    heldMax = settings.duration(
      "held_max", in: .milliseconds(10)...(.seconds(60)), default: .milliseconds(250),
      "A venue's stream held back for longer makes its ticks distrusted until it goes on.")
  }
}
