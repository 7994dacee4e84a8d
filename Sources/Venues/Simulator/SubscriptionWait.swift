/// Who waits for somebody to listen. Confined to the simulator's loop.
final class SubscriptionWait {
  private var waiters: [CheckedContinuation<Void, Never>] = []

  /// Until subscriptions change, or the desk is closed.
  func wait() async {
    await withCheckedContinuation { waiters.append($0) }
  }

  /// Someone's subscriptions have changed.
  func wake() {
    let woken = waiters
    waiters = []
    for waiter in woken { waiter.resume() }
  }
}
