private import Synchronization

/// How far somebody has come in a log, for those who ask on other threads; 0 before that is known.
package final class SharedSequence: Sendable {
  private let state = Mutex<UInt64>(0)

  package init() {}

  package var value: UInt64 {
    get { state.withLock { $0 } }
    set { state.withLock { $0 = newValue } }
  }
}
