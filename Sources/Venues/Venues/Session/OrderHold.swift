package import Chrono
private import Synchronization

/// The last door before the wire: while it is closed nothing that may make exposure is sent, whatever
/// has been waiting for a connection, a limit or its turn meanwhile.
///
/// Whoever keeps the kill switch closes it for a while at a time, and marks on the machine for as long
/// as they say. May be asked and told from any thread.
package final class OrderHold: Sendable {
  private let until = Atomic<UInt64>(0)
  private let isMarked: @Sendable () -> Bool

  /// `isMarked` is asked for each order.
  package init(isMarked: @escaping @Sendable () -> Bool = { false }) { self.isMarked = isMarked }

  package func close(until limit: Uptime) {
    until.store(limit.nanoseconds, ordering: .releasing)
  }

  package func open() { until.store(0, ordering: .releasing) }

  package func isClosed(at now: Uptime) -> Bool {
    now.nanoseconds < until.load(ordering: .acquiring) || isMarked()
  }

  package static let reason = "the kill switch is engaged: nothing was sent"
}
