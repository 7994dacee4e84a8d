private import Synchronization

/// What must hold before a service calls itself ready, and what does not hold now.
package final class ReadinessBoard: Sendable {
  private let state = Mutex(State())

  private struct State {
    var conditions: [String: String?] = [:]
    var observers: [@Sendable (Bool) -> Void] = []
  }

  package init() {}

  /// A named condition; it does not hold until `hold` is called.
  package func require(_ name: String, reason: String = "not yet") -> Requirement {
    set(name, reason)
    return Requirement(name: name, board: self)
  }

  /// Names and reasons of what does not hold, sorted by name.
  package var missing: [(name: String, reason: String)] {
    state.withLock { state in
      state.conditions.compactMap { name, reason in reason.map { (name: name, reason: $0) } }
    }.sorted { $0.name < $1.name }
  }

  package var isReady: Bool {
    state.withLock { $0.conditions.values.allSatisfy { $0 == nil } }
  }

  /// Called with every change of `isReady`, and once now.
  package func onChange(_ body: @escaping @Sendable (Bool) -> Void) {
    let ready = state.withLock { state in
      state.observers.append(body)
      return state.conditions.values.allSatisfy { $0 == nil }
    }
    body(ready)
  }

  fileprivate func set(_ name: String, _ reason: String?) {
    let (ready, observers) = state.withLock { state -> (Bool, [@Sendable (Bool) -> Void]) in
      let before = state.conditions.values.allSatisfy { $0 == nil }
      state.conditions.updateValue(reason, forKey: name)
      let after = state.conditions.values.allSatisfy { $0 == nil }
      return (after, before == after ? [] : state.observers)
    }
    for observer in observers { observer(ready) }
  }

  /// One condition of a board.
  package struct Requirement: Sendable {
    package let name: String
    fileprivate let board: ReadinessBoard

    package func hold() { board.set(name, nil) }
    package func fail(_ reason: String) { board.set(name, reason) }
  }
}
