private import Synchronization

/// What must hold before a service calls itself ready, and what does not hold now. Some conditions
/// are only told: without them the service does less, and is ready all the same.
package final class ReadinessBoard: Sendable {
  private let state = Mutex(State())

  private struct State {
    var conditions: [String: Condition] = [:]
    var isReady: Bool { conditions.values.allSatisfy { $0.reason == nil || !$0.isNeeded } }
    var observers: [@Sendable (Bool) -> Void] = []
  }

  private struct Condition {
    /// Nil while it holds.
    var reason: String?
    let isNeeded: Bool
  }

  package init() {}

  /// A named condition; it does not hold until `hold` is called.
  package func require(
    _ name: String, reason: String = "not yet", isNeeded: Bool = true
  ) -> Requirement {
    set(name, reason, isNeeded)
    return Requirement(name: name, isNeeded: isNeeded, board: self)
  }

  /// Names and reasons of what is needed and does not hold, sorted by name.
  package var missing: [(name: String, reason: String)] { failing(isNeeded: true) }

  /// The same of what the service can do without.
  package var degraded: [(name: String, reason: String)] { failing(isNeeded: false) }

  private func failing(isNeeded: Bool) -> [(name: String, reason: String)] {
    state.withLock { state in
      state.conditions.filter { $0.value.isNeeded == isNeeded }
        .compactMap { name, condition in condition.reason.map { (name: name, reason: $0) } }
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

  fileprivate func set(_ name: String, _ reason: String?, _ isNeeded: Bool) {
    let (ready, observers) = state.withLock { state -> (Bool, [@Sendable (Bool) -> Void]) in
      let before = state.isReady
      state.conditions[name] = Condition(reason: reason, isNeeded: isNeeded)
      let after = state.isReady
      return (after, before == after ? [] : state.observers)
    }
    for observer in observers { observer(ready) }
  }

  /// One condition of a board.
  package struct Requirement: Sendable {
    package let name: String
    fileprivate let isNeeded: Bool
    fileprivate let board: ReadinessBoard

    package func hold() { board.set(name, nil, isNeeded) }
    package func fail(_ reason: String) { board.set(name, reason, isNeeded) }
  }
}
