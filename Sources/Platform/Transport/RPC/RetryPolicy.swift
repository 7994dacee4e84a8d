package import Calls

/// When a call that failed is tried again, after gRFC A6. Only idempotent methods are, and only
/// while nothing of an answer has arrived and the whole request is still in memory.
package struct RetryPolicy: Sendable {
  /// Tries of one call, the first included.
  package var attemptsMax = 3
  package var initialBackoff = Duration.milliseconds(20)
  package var factor = 2.0
  package var backoffMax = Duration.seconds(1)
  /// Of a pause, either way.
  package var jitter = 0.2
  package var codes: Set<StatusCode> = [.unavailable]
  /// Tries again of a call that no server has looked at, whatever its method; then `attemptsMax`
  /// decides. More than gRPC's one, because a rolling restart may turn a call away once a server.
  package var transparentMax = 8
  /// Request bytes of a call that are kept for another try; a larger request has one try only.
  package var replayBytesMax = 256 * 1024
  /// Tokens of the channel's budget: a failure costs one, and below half of them nothing is tried
  /// again, so that retries do not make an outage worse.
  package var tokensMax = 1000.0
  /// What a success puts back.
  package var tokenRatio = 0.1

  package init() {}

  /// The pause before retry `step`, counted from 1. `chance` is in 0..<1.
  func pause(before step: Int, chance: Double) -> Duration {
    var pause = initialBackoff
    for _ in 1..<max(1, step) where pause < backoffMax { pause = pause * factor }
    return min(pause, backoffMax) * (1 + jitter * (2 * chance - 1))
  }
}

/// What the server says about trying again: `grpc-retry-pushback-ms`.
enum RetryPushback: Equatable {
  case none
  case after(Duration)
  /// A negative number, or one that cannot be read.
  case never

  init(_ text: String) {
    // A signed 32-bit number without superfluous zeros.
    guard let value = Int32(text), String(value) == text, value >= 0 else {
      self = .never
      return
    }
    self = .after(.milliseconds(Int64(value)))
  }
}

/// How one attempt failed, as far as a retry goes.
struct FailedAttempt {
  let code: StatusCode
  var pushback = RetryPushback.none
  /// No server has looked at the request.
  var isUnseen = false
}

/// The tokens of a channel.
struct RetryBudget {
  private let tokensMax: Double
  private let ratio: Double
  private(set) var tokens: Double

  init(_ policy: RetryPolicy) {
    tokensMax = policy.tokensMax
    ratio = policy.tokenRatio
    tokens = policy.tokensMax
  }

  mutating func succeeded() {
    if tokens < tokensMax { tokens = min(tokensMax, tokens + ratio) }
  }

  mutating func failed() { tokens = max(0, tokens - 1) }

  var allowsRetries: Bool { tokens > tokensMax / 2 }
}

/// The retries of one call. Pure: chance is an argument.
struct RetryLedger {
  enum Verdict: Equatable {
    case giveUp
    case again(after: Duration)
    /// Not counted among the attempts, and not told to the server.
    case transparently(after: Duration)
  }

  /// Attempts that a server has seen fail before the one that runs.
  private(set) var retries = 0
  private(set) var transparent = 0
  /// Of the backoff; begins anew after a pause that the server asked for.
  private var step = 0

  /// Decides about an attempt that failed; `mayRepeat`: the method is idempotent.
  mutating func decide(
    _ failure: FailedAttempt, mayRepeat: Bool, _ policy: RetryPolicy, _ budget: inout RetryBudget,
    chance: Double
  ) -> Verdict {
    if failure.isUnseen, transparent < policy.transparentMax {
      transparent += 1
      // The first one at once; those after it must not become a storm.
      let pause =
        transparent == 1 ? Duration.zero : policy.pause(before: transparent - 1, chance: chance)
      return .transparently(after: pause)
    }
    let isRetryable = policy.codes.contains(failure.code)
    guard isRetryable || failure.pushback == .never else { return .giveUp }
    budget.failed()
    guard mayRepeat, isRetryable, failure.pushback != .never,
      retries + 1 < policy.attemptsMax, budget.allowsRetries
    else { return .giveUp }
    retries += 1
    if case .after(let pause) = failure.pushback {
      step = 0
      return .again(after: pause)
    }
    step += 1
    return .again(after: policy.pause(before: step, chance: chance))
  }
}
