internal import Glibc

/// Waits for SIGTERM or SIGINT, or for whoever says that it is over.
///
/// `@unchecked Sendable`: confined to its loop.
final class StopWait: @unchecked Sendable {
  private var isStopping = false
  private var waiter: CheckedContinuation<Void, Never>?

  func received(_ signal: Int32) {
    guard signal == SIGTERM || signal == SIGINT else { return }
    finish()
  }

  func finish() {
    isStopping = true
    waiter?.resume()
    waiter = nil
  }

  func wait() async {
    await withCheckedContinuation { continuation in
      if isStopping { continuation.resume() } else { waiter = continuation }
    }
  }
}
