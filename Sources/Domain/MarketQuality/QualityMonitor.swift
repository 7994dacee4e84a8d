package import Chrono
internal import Units
package import Venue

/// Watches one instrument: every event of its feed with the book after it, and the time that passes.
///
/// State: the flags of now. A flag that describes the book (tainted, crossed, wide, one-sided) stands
/// until the book is otherwise; one that describes an event (stale, skewed, jump) stands until the next
/// event of its kind; silent stands until anything is heard. A finding is told when a flag comes up,
/// not again while it stands, so that a market that is bad for an hour is not an hour of alerts.
///
/// - tainted: from a feed's word that the book lost its place until its next snapshot. While it stands,
///   nothing else is judged by the book.
/// - crossed: bid > ask * (1 + tolerance). Never on a tainted book.
/// - stale: received - exchange > the age. A venue that does not tell its time is never stale.
/// - skewed: exchange - received beyond the skew: what comes from the future was stamped by another
///   clock. Age in the other direction is `stale`; between both limits it is a network.
/// - wide: (ask - bid) / middle.
/// - jump: |price - median| / (1.4826 * MAD) of the latest trades' prices (Iglewicz and Hoaglin, How to
///   Detect and Handle Outliers, 1993: 0.6745 (x - median) / MAD). The MAD is taken as at least a tick,
///   so that a market that stands still has no jumps of one tick. Scores are statistics, hence Double.
/// - silent: nothing heard for too long; found by `tick`.
///
/// A gap makes its feed ask for a snapshot whatever the action is. Another check whose action is
/// `requestSnapshot` asks when it begins to fail, at most `resyncsMax` times in `resyncWindow`: what a
/// snapshot does not heal, the next one will not either. Beyond that it is told only.
///
/// Counts are kept of everything judged, for rates.
package struct QualityMonitor: Sendable {
  package let instrument: Instrument
  package let limits: QualityLimits
  package private(set) var flags: QualityFlags = [.tainted]
  package private(set) var counts = QualityCounts()
  private var prices: PriceWindow
  private var lastHeard: Instant?
  /// When snapshots were asked for, within the window.
  private var resyncs: [Instant] = []

  package init(_ instrument: Instrument, _ limits: QualityLimits) {
    self.instrument = instrument
    self.limits = limits
    prices = PriceWindow(size: limits.jumpWindow)
  }

  /// `bid` and `ask` are the book's after the event.
  package mutating func take(
    _ event: MarketEvent, bid: PriceLevel?, ask: PriceLevel?
  ) -> QualityVerdict {
    var verdict = QualityVerdict()
    counts.events += 1
    switch event {
    case .snapshot(let snapshot):
      heard(snapshot.receivedTime)
      flags.remove(.tainted)
      judge(snapshot.exchangeTime, snapshot.receivedTime, &verdict)
      judge(bid, ask, &verdict)
    case .delta(let delta):
      heard(delta.receivedTime)
      judge(delta.exchangeTime, delta.receivedTime, &verdict)
      judge(bid, ask, &verdict)
    case .trade(let trade):
      heard(trade.receivedTime)
      // What comes late by design is no sign of the market now.
      if !trade.isBackfilled {
        judge(trade.exchangeTime, trade.receivedTime, &verdict)
        judge(trade.price, &verdict)
      }
    case .top(let top):
      heard(top.receivedTime)
      judge(top.bid, top.ask, &verdict)
    case .stale(_, let reason):
      counts.gaps += 1
      flags.subtract([.crossed, .wide, .oneSided])
      if raise(.tainted, when: true) {
        verdict.findings.append(QualityFinding(.tainted, reason))
      }
    case .status(let status): heard(status.receivedTime)
    }
    conclude(&verdict, at: lastHeard ?? .epoch)
    verdict.isDiscarded = QualityCheck.allCases.contains {
      $0.isOfEvents && flags.contains($0.flag) && limits.action(of: $0).discards
    }
    if verdict.isDiscarded { counts.discarded += 1 }
    return verdict
  }

  /// The flags of now, and what follows from the actions of those checks.
  private mutating func conclude(_ verdict: inout QualityVerdict, at now: Instant) {
    verdict.flags = flags
    verdict.isTainted = QualityCheck.allCases.contains {
      $0 != .tainted && flags.contains($0.flag) && limits.action(of: $0).taints
    }
    guard !flags.contains(.tainted) else { return }
    let asking = verdict.findings.first {
      $0.check != .tainted && limits.action(of: $0.check).requestsSnapshot
    }
    guard let asking else { return }
    resyncs.removeAll { now - $0 >= limits.resyncWindow }
    guard resyncs.count < limits.resyncsMax else {
      verdict.resync = .withheld
      return
    }
    resyncs.append(now)
    verdict.resync = .ask(reason: "\(asking.check.name): \(asking.text)")
  }

  /// To be called now and then, also when nothing comes.
  package mutating func tick(at now: Instant) -> QualityVerdict {
    var verdict = QualityVerdict()
    if let lastHeard, now - lastHeard > limits.silenceMax, raise(.silent, when: true) {
      verdict.findings.append(
        QualityFinding(
          .silent,
          "nothing for \(seconds(now - lastHeard)), at most \(seconds(limits.silenceMax))"))
    }
    conclude(&verdict, at: now)
    return verdict
  }

  // MARK: Checks

  /// Raises or lowers a flag; true when it was down and is up now.
  private mutating func raise(_ check: QualityCheck, when fails: Bool) -> Bool {
    guard fails else {
      flags.remove(check.flag)
      return false
    }
    counts.failures[Int(check.rawValue)] += 1
    return flags.insert(check.flag).inserted
  }

  private mutating func heard(_ received: Instant) {
    lastHeard = received
    flags.remove(.silent)
  }

  private mutating func judge(
    _ exchange: Instant, _ received: Instant, _ verdict: inout QualityVerdict
  ) {
    guard exchange > .epoch else { return }
    counts.timed += 1
    let age = received - exchange
    if raise(.stale, when: age > limits.ageMax) {
      verdict.findings.append(
        QualityFinding(.stale, "\(seconds(age)) old, at most \(seconds(limits.ageMax))"))
    }
    if raise(.skewed, when: age < .zero - limits.skewMax) {
      verdict.findings.append(
        QualityFinding(
          .skewed, "\(seconds(.zero - age)) ahead of us, at most \(seconds(limits.skewMax))"))
    }
  }

  private mutating func judge(
    _ bid: PriceLevel?, _ ask: PriceLevel?, _ verdict: inout QualityVerdict
  ) {
    guard !flags.contains(.tainted) else { return }
    counts.books += 1
    let isWhole = (bid?.price.raw ?? 0) > 0 && (ask?.price.raw ?? 0) > 0
    if raise(.oneSided, when: !isWhole) {
      verdict.findings.append(QualityFinding(.oneSided, bid == nil ? "no bids" : "no asks"))
    }
    guard isWhole, let bid, let ask else {
      flags.subtract([.crossed, .wide])
      return
    }
    let over = Int128(bid.price.raw - ask.price.raw) * 1_000_000
    let most = Int128(ask.price.raw) * Int128(limits.crossedToleranceMillionths)
    if raise(.crossed, when: over > most) {
      verdict.findings.append(
        QualityFinding(
          .crossed,
          "bid \(instrument.decimal(bid.price)) above ask \(instrument.decimal(ask.price))"))
    }
    let spread = Int128(ask.price.raw - bid.price.raw) * 2_000_000
    let middle = Int128(ask.price.raw) + Int128(bid.price.raw)
    if raise(.wide, when: spread > middle * Int128(limits.spreadMaxMillionths)) {
      verdict.findings.append(
        QualityFinding(
          .wide,
          "\(Int64(spread / middle)) millionths, at most \(limits.spreadMaxMillionths)"))
    }
  }

  private mutating func judge(_ price: Price, _ verdict: inout QualityVerdict) {
    let score = prices.score(of: price.raw, tick: instrument.tickSize.raw)
    prices.add(price.raw)
    guard let score, raise(.jump, when: score > limits.jumpMax) else { return }
    verdict.findings.append(
      QualityFinding(
        .jump,
        "\(instrument.decimal(price)) is \(tenths(score)) deviations from the median, at most "
          + tenths(limits.jumpMax)))
  }

  private func tenths(_ value: Double) -> String {
    let tenths = Int64(min(value * 10, 1e15))
    return "\(tenths / 10).\(tenths % 10)"
  }

  private func seconds(_ duration: Duration) -> String {
    Decimal(units: duration.wholeNanoseconds / 1_000_000, scale: 3).description + " s"
  }
}

extension QualityCheck {
  /// It speaks of the event at hand, or of the book that it made: to discard it makes sense.
  fileprivate var isOfEvents: Bool {
    switch self {
    case .crossed, .stale, .skewed, .wide, .jump, .oneSided: true
    case .tainted, .silent: false
    }
  }
}

/// What was judged, since the beginning.
package struct QualityCounts: Sendable, Hashable {
  package var events: UInt64 = 0
  /// Events with the venue's time.
  package var timed: UInt64 = 0
  /// Books that were whole enough to be judged.
  package var books: UInt64 = 0
  package var gaps: UInt64 = 0
  package var discarded: UInt64 = 0
  /// By check: how often it failed.
  package fileprivate(set) var failures = [UInt64](
    repeating: 0, count: QualityCheck.allCases.count)

  package func failures(of check: QualityCheck) -> UInt64 { failures[Int(check.rawValue)] }

  /// Stale events of those with a time, crossed books of those judged, gaps of all events; in
  /// millionths.
  package var staleMillionths: UInt64 { Self.share(failures(of: .stale), timed) }
  package var crossedMillionths: UInt64 { Self.share(failures(of: .crossed), books) }
  package var gapMillionths: UInt64 { Self.share(gaps, events) }

  private static func share(_ part: UInt64, _ whole: UInt64) -> UInt64 {
    whole == 0 ? 0 : part * 1_000_000 / whole
  }
}
