internal import Chrono

/// What one peer has done with frames that are legal one by one and cost us more than they cost it.
///
/// Pure: fed with the heads of the frames that arrive and told of those that we send; answers with
/// the limit that was passed. After that the connection is over.
struct FrameLedger: Sendable {
  private let limits: FloodLimits
  private var resets: RateBudget
  private var provokedResets: RateBudget
  private var pings: RateBudget
  private var settings: RateBudget
  private var windowUpdates: RateBudget
  private var emptyFrames: RateBudget
  private var continuations = 0
  private var pingAt: Uptime?
  private var strikes = 0
  /// DATA that we sent and requests that came, since they were last counted in favour of the peer.
  private var dataSent = 0
  private var requests = 0
  /// HEADERS or DATA went out since the last PING came.
  private var hasSent = false

  init(_ limits: FloodLimits, now: Uptime) {
    self.limits = limits
    resets = RateBudget(limits.resets, now: now)
    provokedResets = RateBudget(limits.provokedResets, now: now)
    pings = RateBudget(limits.pings, now: now)
    settings = RateBudget(limits.settings, now: now)
    windowUpdates = RateBudget(limits.windowUpdates, now: now)
    emptyFrames = RateBudget(limits.emptyFrames, now: now)
  }

  // MARK: Received

  /// HEADERS and most DATA cost nothing here.
  @inline(__always)
  mutating func received(_ frame: FrameHead, now: () -> Uptime) -> TransportLimit? {
    if frame.type == FrameHead.Kind.headers {
      requests &+= 1
      continuations = 0
      return nil
    }
    if frame.type == FrameHead.Kind.data,
      frame.length > 0 || frame.has(FrameHead.Flag.endStream)
    {
      return nil
    }
    return charge(frame, now: now)
  }

  private mutating func charge(_ frame: FrameHead, now: () -> Uptime) -> TransportLimit? {
    switch frame.type {
    case FrameHead.Kind.reset:
      return resets.spend() || resets.refill(at: now()) ? nil : .resets
    case FrameHead.Kind.settings:
      if frame.has(FrameHead.Flag.ack) { return nil }
      let isWithin = settings.spend(1 + frame.length / 256) || settings.refill(at: now())
      return isWithin ? nil : .settings
    case FrameHead.Kind.ping:
      if frame.has(FrameHead.Flag.ack) { return nil }
      let time = now()
      guard isPingWelcome(time), pings.spend() || pings.refill(at: time) else { return .pings }
      return nil
    case FrameHead.Kind.windowUpdate:
      if windowUpdates.spend() { return nil }
      let earned = 2 * take(&dataSent)
      return windowUpdates.refill(earned, at: now()) ? nil : .windowUpdates
    case FrameHead.Kind.continuation:
      continuations += 1
      return continuations <= limits.continuationsMax ? nil : .continuations
    case FrameHead.Kind.goAway: return nil
    default:
      if emptyFrames.spend() { return nil }
      let earned = 4 * take(&requests)
      return emptyFrames.refill(earned, at: now()) ? nil : .emptyFrames
    }
  }

  private func take(_ count: inout Int) -> Int {
    defer { count = 0 }
    return count
  }

  /// gRFC A8: a ping soon after another one is a strike, unless something was sent in between.
  private mutating func isPingWelcome(_ now: Uptime) -> Bool {
    defer {
      pingAt = now
      hasSent = false
    }
    guard !hasSent, let pingAt else {
      strikes = 0
      return true
    }
    if now - pingAt < limits.pingIntervalMin { strikes += 1 }
    return strikes <= limits.pingStrikesMax
  }

  // MARK: Sent

  @inline(__always)
  mutating func sentHeaders() { hasSent = true }

  @inline(__always)
  mutating func sentData() {
    hasSent = true
    dataSent &+= 1
  }

  /// A stream was reset for the peer's fault.
  mutating func provoked(now: () -> Uptime) -> TransportLimit? {
    provokedResets.spend() || provokedResets.refill(at: now()) ? nil : .provokedResets
  }
}
