private import Synchronization

/// How many orders a gate admitted and refused, by rule. One writer, the gate; any thread reads.
package final class RiskCounters: Sendable {
  private let admitted = Atomic<UInt64>(0)
  private let refused = InlineArray<11, Atomic<UInt64>> { _ in Atomic(0) }

  package init() {
    precondition(
      RiskRule.allCases.count == refused.count, "a counter per rule: \(RiskRule.allCases.count)")
  }

  package var admittedCount: UInt64 { admitted.load(ordering: .relaxed) }

  package func refusedCount(by rule: RiskRule) -> UInt64 {
    refused[Int(rule.rawValue)].load(ordering: .relaxed)
  }

  package var refusedCount: UInt64 {
    RiskRule.allCases.reduce(0) { $0 + refusedCount(by: $1) }
  }

  /// Refused of all, in parts per million; 0 before the first order.
  package var refusedPartsPerMillion: UInt64 {
    let refused = refusedCount
    let all = refused + admittedCount
    return all == 0 ? 0 : refused * 1_000_000 / all
  }

  // With one writer a load and a store do what an atomic add does, at a tenth of its price.
  func countAdmitted() {
    admitted.store(admitted.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
  }

  func countRefused(by rule: RiskRule) {
    let index = Int(rule.rawValue)
    refused[index].store(refused[index].load(ordering: .relaxed) &+ 1, ordering: .relaxed)
  }
}
