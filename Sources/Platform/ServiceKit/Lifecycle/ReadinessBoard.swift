package import Chrono
private import Synchronization

/// What must hold before a service calls itself ready, and what does not hold now, why and since when.
/// Some conditions are only told: without them the service does less, and is ready all the same.
package final class ReadinessBoard: Sendable {
  /// What it means that a condition does not hold.
  package enum Weight: Sendable {
    /// Nothing can be done: not SERVING, and calls that need the service whole are refused.
    case calls
    /// Some of the service's work is not done: not SERVING, while calls are taken as ever.
    case health
    /// The service does less, and is SERVING.
    case told
  }

  /// A condition that does not hold.
  package struct Shortfall: Sendable, Hashable {
    package let name: String
    package let reason: String
    package let since: Instant

    package init(name: String, reason: String, since: Instant) {
      self.name = name
      self.reason = reason
      self.since = since
    }
  }

  private let time: any TimeSource
  private let state = Mutex(State())

  private struct State {
    var conditions: [String: Condition] = [:]
    var isReady: Bool { conditions.values.allSatisfy { $0.reason == nil || $0.weight == .told } }
    var observers: [@Sendable (Bool) -> Void] = []
  }

  private struct Condition {
    /// Nil while it holds.
    var reason: String?
    var weight: Weight
    /// When it ceased to hold.
    var since: Instant
  }

  package init(time: any TimeSource = SystemTime()) { self.time = time }

  /// A named condition; it does not hold until `hold` is called.
  package func require(
    _ name: String, reason: String = "not yet", weight: Weight
  ) -> Requirement {
    set(name, reason, weight)
    return Requirement(name: name, weight: weight, board: self)
  }

  package func require(
    _ name: String, reason: String = "not yet", isNeeded: Bool = true
  ) -> Requirement {
    require(name, reason: reason, weight: isNeeded ? .calls : .told)
  }

  /// What is needed and does not hold, sorted by name.
  package var missing: [Shortfall] { shortfalls { $0 != .told } }

  /// The same of what the service can do without.
  package var degraded: [Shortfall] { shortfalls { $0 == .told } }

  /// What keeps calls out that need the service whole.
  package var refusing: [Shortfall] { shortfalls { $0 == .calls } }

  private func shortfalls(_ isMeant: (Weight) -> Bool) -> [Shortfall] {
    state.withLock { state in
      state.conditions.filter { isMeant($0.value.weight) }
        .compactMap { name, condition in
          condition.reason.map { Shortfall(name: name, reason: $0, since: condition.since) }
        }
    }.sorted { $0.name < $1.name }
  }

  package var isReady: Bool { state.withLock { $0.isReady } }

  /// Called with every change of `isReady`, and once now.
  package func onChange(_ body: @escaping @Sendable (Bool) -> Void) {
    let ready = state.withLock { state in
      state.observers.append(body)
      return state.isReady
    }
    body(ready)
  }

  fileprivate func set(_ name: String, _ reason: String?, _ weight: Weight) {
    let now = time.now
    let (ready, observers) = state.withLock { state -> (Bool, [@Sendable (Bool) -> Void]) in
      let before = state.isReady
      let known = state.conditions[name]
      let since = reason != nil && known?.reason != nil ? known!.since : now
      state.conditions[name] = Condition(reason: reason, weight: weight, since: since)
      let after = state.isReady
      return (after, before == after ? [] : state.observers)
    }
    for observer in observers { observer(ready) }
  }

  /// One condition of a board.
  package struct Requirement: Sendable {
    package let name: String
    fileprivate let weight: Weight
    fileprivate let board: ReadinessBoard

    package func hold() { board.set(name, nil, weight) }
    package func fail(_ reason: String) { board.set(name, reason, weight) }
    /// The same, heavier or lighter than it was required with.
    package func fail(_ reason: String, weight: Weight) { board.set(name, reason, weight) }
  }
}
