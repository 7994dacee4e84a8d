internal import Calls
package import Loop
private import Synchronization

/// A value with a version that grows with each change, and those who wait for the next one. However
/// many changes a slow reader misses, it sees the newest.
package final class Watched<Value: Sendable>: Sendable {
  package struct Change: Sendable {
    package let version: UInt64
    package let value: Value
  }

  private let subscribersMax: Int
  private let state: Mutex<State>

  private struct State {
    var version: UInt64 = 0
    var value: Value
    var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    var lastWaiter: UInt64 = 0
    /// Waits that were cancelled before they had begun.
    var cancelled: Set<UInt64> = []
    var subscribers = 0
  }

  package init(_ value: Value, subscribersMax: Int = .max) {
    self.subscribersMax = subscribersMax
    state = Mutex(State(value: value))
  }

  package var current: Change {
    state.withLock { Change(version: $0.version, value: $0.value) }
  }

  package func set(_ value: Value) { update { $0 = value } }

  /// Changes the value and wakes those who wait.
  package func update(_ change: (inout Value) -> Void) {
    let waiting = state.withLock { state in
      change(&state.value)
      state.version += 1
      defer { state.waiters.removeAll(keepingCapacity: true) }
      return Array(state.waiters.values)
    }
    for waiter in waiting { waiter.resume() }
  }

  /// The value as soon as its version is past `known`; as it is when the task is cancelled.
  package func change(after known: UInt64) async -> Change {
    let id = state.withLock { state -> UInt64? in
      guard state.version <= known else { return nil }
      state.lastWaiter += 1
      return state.lastWaiter
    }
    if let id {
      await withTaskCancellationHandler {
        await withCheckedContinuation { wait($0, id, known) }
      } onCancel: {
        cancel(id)
      }
      state.withLock { _ = $0.cancelled.remove(id) }
    }
    return current
  }

  /// The same, for `limit` at most.
  @discardableResult
  package func change(
    after known: UInt64, within limit: Duration, _ loop: EventLoop
  ) async -> Change {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { _ = await self.change(after: known) }
      group.addTask { await loop.sleep(for: limit) }
      await group.next()
      group.cancelAll()
    }
    return current
  }

  private func wait(_ waiter: CheckedContinuation<Void, Never>, _ id: UInt64, _ known: UInt64) {
    let isOver = state.withLock { state in
      if state.cancelled.remove(id) != nil || state.version > known { return true }
      state.waiters[id] = waiter
      return false
    }
    if isOver { waiter.resume() }
  }

  private func cancel(_ id: UInt64) {
    let waiter = state.withLock { state in
      let waiter = state.waiters.removeValue(forKey: id)
      if waiter == nil { state.cancelled.insert(id) }
      return waiter
    }
    waiter?.resume()
  }

  /// Runs `body` as one more subscriber; RESOURCE_EXHAUSTED, naming the setting that bounds them,
  /// when there are as many as may be.
  @discardableResult
  package func subscribed<Result>(
    limitedBy setting: String, _ body: () async throws -> Result
  ) async throws -> Result {
    let isAdmitted = state.withLock { state in
      guard state.subscribers < subscribersMax else { return false }
      state.subscribers += 1
      return true
    }
    guard isAdmitted else {
      throw RPCError(.resourceExhausted, "\(subscribersMax) streams are open (\(setting))")
    }
    defer { state.withLock { $0.subscribers -= 1 } }
    return try await body()
  }
}
