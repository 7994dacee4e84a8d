/// What is wrong with a market at a moment; carried by every tick. Nothing set: nothing is known to
/// be wrong.
package struct QualityFlags: OptionSet, Sendable, Hashable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The book is not to be trusted: missing updates, or a checksum that is not the venue's.
  package static let tainted = QualityFlags(rawValue: 1 << 0)
  /// The best bid is above the best ask by more than the tolerance.
  package static let crossed = QualityFlags(rawValue: 1 << 1)
  /// It was older than allowed when it arrived.
  package static let stale = QualityFlags(rawValue: 1 << 2)
  /// The venue's clock and ours differ by more than allowed.
  package static let skewed = QualityFlags(rawValue: 1 << 3)
  /// The spread is wider than allowed.
  package static let wide = QualityFlags(rawValue: 1 << 4)
  /// A price far outside of what it was.
  package static let jump = QualityFlags(rawValue: 1 << 5)
  /// Nothing was heard for too long.
  package static let silent = QualityFlags(rawValue: 1 << 6)
  /// One side of the book is empty.
  package static let oneSided = QualityFlags(rawValue: 1 << 7)

  /// In the order of their bits, for messages and metrics.
  package var names: [String] { QualityCheck.allCases.filter { contains($0.flag) }.map(\.name) }
}

/// The checks, one for each flag.
package enum QualityCheck: UInt8, Sendable, Hashable, CaseIterable {
  case tainted = 0
  case crossed = 1
  case stale = 2
  case skewed = 3
  case wide = 4
  case jump = 5
  case silent = 6
  case oneSided = 7

  package var flag: QualityFlags { QualityFlags(rawValue: 1 << UInt32(rawValue)) }

  /// As in settings, metrics and messages.
  package var name: String {
    switch self {
    case .tainted: "gap"
    case .crossed: "crossed"
    case .stale: "stale"
    case .skewed: "skewed"
    case .wide: "wide_spread"
    case .jump: "price_jump"
    case .silent: "silent"
    case .oneSided: "one_sided"
    }
  }
}

/// What is done about a finding, by its name in settings.
package enum QualityAction: String, Sendable, Hashable, CaseIterable {
  /// The tick carries the flag.
  case flag
  /// The flag, and an event for people.
  case alert
  /// The event is not passed on.
  case discard
  case discardAndAlert = "discard_and_alert"
  /// The book is not to be trusted as long as the check fails, as after a gap; and an event.
  case taint
  /// The same, and the book is asked for anew.
  case requestSnapshot = "request_snapshot"

  package var discards: Bool { self == .discard || self == .discardAndAlert }
  package var taints: Bool { self == .taint || self == .requestSnapshot }
  package var requestsSnapshot: Bool { self == .requestSnapshot }
  package var alerts: Bool {
    switch self {
    case .alert, .discardAndAlert, .taint, .requestSnapshot: true
    case .flag, .discard: false
    }
  }
}
