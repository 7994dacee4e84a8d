internal import Chrono
internal import Loop
private import Synchronization

/// Wakes one task that looks again and again. A ring that comes while it looks is not lost.
final class Bell: Sendable {
  private let loop: EventLoop
  private let state = Mutex(State())

  private struct State {
    var isRung = false
    var waiter: CheckedContinuation<Void, Never>?
  }

  init(_ loop: EventLoop) { self.loop = loop }

  func ring() {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      state.isRung = true
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  /// True when it was rung within `limit`, or since the last wait.
  @discardableResult
  func wait(_ limit: Duration) async -> Bool {
    let alarm = loop.spawn { [weak self, loop] in
      await loop.sleep(for: limit)
      if !Task.isCancelled { self?.wake() }
    }
    await withCheckedContinuation { continuation in
      let isDue = state.withLock { state -> Bool in
        if state.isRung { return true }
        state.waiter = continuation
        return false
      }
      if isDue { continuation.resume() }
    }
    alarm.cancel()
    return state.withLock { state in
      defer { state.isRung = false }
      return state.isRung
    }
  }

  private func wake() {
    state.withLock { state -> CheckedContinuation<Void, Never>? in
      defer { state.waiter = nil }
      return state.waiter
    }?.resume()
  }
}
