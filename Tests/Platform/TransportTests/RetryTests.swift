import Calls
import Seeds
import Testing

@testable import Transport

@Suite struct `Retries of a call` {
  private let policy = RetryPolicy()

  private func decide(
    _ ledger: inout RetryLedger, _ budget: inout RetryBudget, _ code: StatusCode = .unavailable,
    pushback: RetryPushback = .none, isUnseen: Bool = false, mayRepeat: Bool = true
  ) -> RetryLedger.Verdict {
    ledger.decide(
      FailedAttempt(code: code, pushback: pushback, isUnseen: isUnseen), mayRepeat: mayRepeat,
      policy, &budget, chance: 0.5)
  }

  @Test func `an idempotent call is tried so often, after pauses that double`() {
    var (ledger, budget) = (RetryLedger(), RetryBudget(policy))
    #expect(decide(&ledger, &budget) == .again(after: .milliseconds(20)))
    #expect(decide(&ledger, &budget) == .again(after: .milliseconds(40)))
    #expect(decide(&ledger, &budget) == .giveUp)
    #expect(ledger.retries == 2)
  }

  @Test func `other methods and other statuses are not tried again`() {
    var (ledger, budget) = (RetryLedger(), RetryBudget(policy))
    #expect(decide(&ledger, &budget, mayRepeat: false) == .giveUp)
    for code in [StatusCode.internalError, .notFound, .deadlineExceeded, .resourceExhausted] {
      #expect(decide(&ledger, &budget, code) == .giveUp)
    }
    // Only what might have been tried again counts against the budget.
    #expect(budget.tokens == policy.tokensMax - 1)
  }

  @Test func `what no server has seen is tried again whatever it is, and at once`() {
    var (ledger, budget) = (RetryLedger(), RetryBudget(policy))
    #expect(
      decide(&ledger, &budget, isUnseen: true, mayRepeat: false) == .transparently(after: .zero))
    for _ in 1..<policy.transparentMax {
      guard case .transparently(let pause) = decide(&ledger, &budget, isUnseen: true) else {
        Issue.record("not tried again")
        return
      }
      #expect(pause > .zero)
    }
    // Then it is a failure like others.
    #expect(decide(&ledger, &budget, isUnseen: true, mayRepeat: false) == .giveUp)
    #expect(decide(&ledger, &budget, isUnseen: true) == .again(after: .milliseconds(20)))
    #expect(ledger.retries == 1)
  }

  @Test func `a server may name the pause, and it begins anew afterwards`() {
    var (ledger, budget) = (RetryLedger(), RetryBudget(policy))
    let asked = decide(&ledger, &budget, pushback: RetryPushback("700"))
    #expect(asked == .again(after: .milliseconds(700)))
    #expect(decide(&ledger, &budget) == .again(after: .milliseconds(20)))
  }

  @Test(arguments: ["-1", "-100", "soon", "", "1.5", "007", "+5", "9999999999", " 5"])
  func `a server that says no, or something strange, is not asked again`(text: String) {
    var (ledger, budget) = (RetryLedger(), RetryBudget(policy))
    #expect(RetryPushback(text) == .never)
    #expect(decide(&ledger, &budget, pushback: RetryPushback(text)) == .giveUp)
    #expect(budget.tokens == policy.tokensMax - 1)
  }

  @Test func `below half of the tokens nothing is tried again until successes fill them up`() {
    var policy = policy
    policy.tokensMax = 10
    var budget = RetryBudget(policy)
    for _ in 0..<4 { budget.failed() }
    #expect(budget.allowsRetries)
    budget.failed()
    #expect(!budget.allowsRetries)
    for _ in 0..<100 { budget.failed() }
    #expect(budget.tokens == 0)
    for _ in 0..<49 { budget.succeeded() }
    #expect(!budget.allowsRetries)
    for _ in 0..<2 { budget.succeeded() }
    #expect(budget.allowsRetries)
    for _ in 0..<1_000 { budget.succeeded() }
    #expect(budget.tokens == 10)
  }

  @Test func `no order of failures breaks a limit`() {
    var chance = SeededGenerator(seed: 6)
    for _ in 0..<300 {
      var (ledger, budget) = (RetryLedger(), RetryBudget(policy))
      var tries = 1
      while tries < 100 {
        let failure = FailedAttempt(
          code: Bool.random(using: &chance) ? .unavailable : .internalError,
          pushback: [.none, .after(.milliseconds(3)), .never].randomElement(using: &chance)!,
          isUnseen: Bool.random(using: &chance))
        let verdict = ledger.decide(
          failure, mayRepeat: Bool.random(using: &chance), policy, &budget,
          chance: Double.random(in: 0..<1, using: &chance))
        if verdict == .giveUp { break }
        tries += 1
      }
      #expect(tries <= policy.attemptsMax + policy.transparentMax)
      #expect(ledger.retries < policy.attemptsMax)
    }
  }
}
