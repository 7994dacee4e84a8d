private import Synchronization

/// One request at a time, in the order in which they came, cancels before all others: the order of nonces
/// is then the order of their arrival at the venue.
final class RequestLane: Sendable {
  private struct State {
    var isBusy = false
    var cancels: [CheckedContinuation<Void, Never>] = []
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())
  /// More than this many waiting are turned away.
  let waitingMax: Int

  init(waitingMax: Int = 64) { self.waitingMax = waitingMax }

  /// False when too many wait already. Whoever got true must `leave`.
  func enter(isCancel: Bool = false) async -> Bool {
    let isFull = state.withLock { state in
      state.isBusy && (isCancel ? state.cancels : state.waiting).count >= waitingMax
    }
    if isFull { return false }
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        if state.isBusy {
          if isCancel {
            state.cancels.append(continuation)
          } else {
            state.waiting.append(continuation)
          }
          return false
        }
        state.isBusy = true
        return true
      }
      if isFree { continuation.resume() }
    }
    return true
  }

  func leave() {
    let next: CheckedContinuation<Void, Never>? = state.withLock { state in
      if !state.cancels.isEmpty { return state.cancels.removeFirst() }
      if state.waiting.isEmpty {
        state.isBusy = false
        return nil
      }
      return state.waiting.removeFirst()
    }
    next?.resume()
  }
}
