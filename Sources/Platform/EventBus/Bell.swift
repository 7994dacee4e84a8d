private import Synchronization

/// Where a subscription's task sleeps until one of its topics has something.
final class Bell: Sendable {
  private enum State {
    case silent
    case rung
    case awaited(UnsafeContinuation<Void, Never>)
  }

  private let state = Mutex(State.silent)

  /// From here on a ring is remembered.
  func reset() {
    state.withLock { state in
      if case .awaited = state {
        preconditionFailure("a subscription is read by two tasks at once")
      }
      state = .silent
    }
  }

  /// Returns when it rings or has rung since `reset`, or when the task is cancelled.
  func wait() async {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { (sleeper: UnsafeContinuation<Void, Never>) in
        let isOver = state.withLock { state in
          if case .rung = state { return true }
          state = .awaited(sleeper)
          return false
        }
        if isOver { sleeper.resume() }
      }
    } onCancel: {
      ring()
    }
  }

  func ring() {
    let sleeper: UnsafeContinuation<Void, Never>? = state.withLock { state in
      defer { state = .rung }
      guard case .awaited(let sleeper) = state else { return nil }
      return sleeper
    }
    sleeper?.resume()
  }
}
