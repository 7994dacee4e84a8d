private import Synchronization

/// Stops every gate that shares it, from any thread, at the next order.
package final class KillSwitch: Sendable {
  private let engaged = Atomic<Bool>(false)

  package init() {}

  package var isEngaged: Bool { engaged.load(ordering: .acquiring) }
  package func engage() { engaged.store(true, ordering: .releasing) }
  package func release() { engaged.store(false, ordering: .releasing) }
}
