package import Venue

/// The gate's answer. A refusal is normal business: a value, not an error.
package enum Verdict: Sendable, Hashable {
  case accepted
  case refused(Refusal)

  package var isAccepted: Bool {
    if case .accepted = self { true } else { false }
  }

  package var refusal: Refusal? {
    if case .refused(let refusal) = self { refusal } else { nil }
  }
}

/// Which rule refused, and the two numbers it compared, in the rule's own raw units;
/// `RiskGate.text(of:)` renders them.
package struct Refusal: Sendable, Hashable {
  package let rule: RiskRule
  package let reason: RejectReason
  package let instrument: InstrumentID
  package let actual: Int128
  package let limit: Int128
}
