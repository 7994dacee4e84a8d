internal import Chrono

/// Judges from time to time whether an HTTP/2 connection is alive. Between two looks nothing is
/// timed, so that a request costs no clock and no timer; times are exact to the distance of looks.
struct ConnectionWatch: Sendable {
  struct Limits: Sendable, Hashable {
    var stallMax: Duration
    var headTimeMax: Duration
    /// Nil: no pings of our own.
    var keepaliveAfter: Duration?
    var keepaliveAckMax: Duration
    /// Nil: connections without calls stay.
    var idleMax: Duration?

    /// Small enough for the shortest of them, and at most every second.
    var lookInterval: Duration {
      let times = [stallMax, headTimeMax, keepaliveAfter, keepaliveAckMax, idleMax]
      let shortest = times.compactMap { $0 }.min() ?? .seconds(4)
      return max(.milliseconds(5), min(shortest / 4, .seconds(1)))
    }
  }

  /// What a connection looks like now. The counters only ever grow.
  struct Sample {
    /// Counts arrivals of bytes.
    var heard: UInt64
    /// Bytes that the kernel has taken.
    var taken: UInt64
    var unsent: Int
    /// The block of header fields that has begun and not ended.
    var openBlock: Int?
    var openStreams: Int
    /// Changes when there were streams since the last look.
    var lastStream: Int32
  }

  enum Action: Hashable {
    case nothing
    case ping
    /// Closed in order: nothing runs on it.
    case goAway
    case cut(TransportLimit)
  }

  private let limits: Limits
  private var heard: (count: UInt64, at: Uptime)
  private var taken: (count: UInt64, at: Uptime)
  private var block: (number: Int, since: Uptime)?
  private var idle: (lastStream: Int32, since: Uptime)?
  private var pingedAt: Uptime?

  init(_ limits: Limits, now: Uptime) {
    self.limits = limits
    heard = (0, now)
    taken = (0, now)
  }

  /// After a pause without looks.
  mutating func resume(_ now: Uptime) {
    taken.at = now
    pingedAt = nil
    block = nil
  }

  mutating func look(_ sample: Sample, now: Uptime) -> Action {
    if sample.heard != heard.count {
      heard = (sample.heard, now)
      pingedAt = nil
    }
    if sample.unsent == 0 || sample.taken != taken.count { taken = (sample.taken, now) }
    if now - taken.at >= limits.stallMax { return .cut(.stall) }
    if isHeadOverdue(sample.openBlock, now) { return .cut(.headTime) }
    if let pingedAt, now - pingedAt >= limits.keepaliveAckMax { return .cut(.keepalive) }
    if isIdle(sample, now) { return .goAway }
    if let after = limits.keepaliveAfter, pingedAt == nil,
      now - heard.at >= after
    {
      pingedAt = now
      return .ping
    }
    return .nothing
  }

  private mutating func isHeadOverdue(_ open: Int?, _ now: Uptime) -> Bool {
    guard let open else {
      block = nil
      return false
    }
    if let block, block.number == open { return now - block.since >= limits.headTimeMax }
    block = (open, now)
    return false
  }

  private mutating func isIdle(_ sample: Sample, _ now: Uptime) -> Bool {
    guard let idleMax = limits.idleMax, sample.openStreams == 0 else {
      idle = nil
      return false
    }
    if let idle, idle.lastStream == sample.lastStream { return now - idle.since >= idleMax }
    idle = (sample.lastStream, now)
    return false
  }
}
