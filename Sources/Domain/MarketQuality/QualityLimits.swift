/// What a market must keep to, for one venue.
package struct QualityLimits: Sendable, Hashable {
  /// How far the bid may be above the ask, as a fraction of the ask in millionths.
  package var crossedToleranceMillionths: Int64
  /// From the venue's time until we received it.
  package var ageMax: Duration
  /// Between the venue's clock and ours, in either direction.
  package var skewMax: Duration
  /// Ask minus bid as a fraction of the middle, in millionths: 10,000 are 1%.
  package var spreadMaxMillionths: Int64
  /// How many robust standard deviations a price may be from the median of the latest.
  package var jumpMax: Double
  /// Prices that the median and the deviation are taken from.
  package var jumpWindow: Int
  /// Without a word of the symbol.
  package var silenceMax: Duration
  package var actions: [QualityCheck: QualityAction]
  /// Snapshots that checks may ask for in `resyncWindow`, for each symbol: a market that is bad for
  /// an hour is not an hour of snapshots.
  package var resyncsMax = 3
  package var resyncWindow = Duration.seconds(60)

  /// The limits of source document 001, chapter 14, where it has some.
  package static let standard = QualityLimits(
    crossedToleranceMillionths: 0, ageMax: .seconds(5), skewMax: .seconds(1),
    spreadMaxMillionths: 10_000, jumpMax: 10, jumpWindow: 64, silenceMax: .seconds(30),
    actions: [
      .tainted: .requestSnapshot, .crossed: .discardAndAlert, .stale: .alert, .skewed: .alert,
      .wide: .alert,
      .jump: .alert, .silent: .alert, .oneSided: .flag,
    ])

  package init(
    crossedToleranceMillionths: Int64, ageMax: Duration, skewMax: Duration,
    spreadMaxMillionths: Int64, jumpMax: Double, jumpWindow: Int, silenceMax: Duration,
    actions: [QualityCheck: QualityAction]
  ) {
    precondition(jumpWindow >= 8, "a window of \(jumpWindow) prices says nothing")
    self.crossedToleranceMillionths = crossedToleranceMillionths
    self.ageMax = ageMax
    self.skewMax = skewMax
    self.spreadMaxMillionths = spreadMaxMillionths
    self.jumpMax = jumpMax
    self.jumpWindow = jumpWindow
    self.silenceMax = silenceMax
    self.actions = actions
  }

  package func action(of check: QualityCheck) -> QualityAction { actions[check] ?? .flag }
}

/// A check that has begun to fail, with the numbers.
package struct QualityFinding: Sendable, Hashable {
  package var check: QualityCheck
  /// What was found and what is allowed, in words of the check's unit: `12.5 s, at most 5 s`.
  package var text: String

  package init(_ check: QualityCheck, _ text: String) {
    self.check = check
    self.text = text
  }
}

/// What the monitor says of one event.
package struct QualityVerdict: Sendable, Hashable {
  package var flags: QualityFlags = []
  /// The event is not to be passed on.
  package var isDiscarded = false
  /// The book is not to be trusted, by a check whose action is to taint it.
  package var isTainted = false
  package var resync = Resync.none

  /// Whether the book is to be asked for anew.
  package enum Resync: Sendable, Hashable {
    case none
    case ask(reason: String)
    /// It would be, but was as often as it may be.
    case withheld
  }
  /// Checks that did not fail before this event and do now.
  package var findings: [QualityFinding] = []

  package init() {}
}
