package import Chrono

/// One event that changed an order, as the journal keeps it.
package struct OrderRecord: Sendable, Hashable {
  /// 1, 2, 3, ... per order, without gaps.
  package var sequence: UInt32
  package var time: Instant
  package var event: OrderEvent

  package init(sequence: UInt32, time: Instant, event: OrderEvent) {
    self.sequence = sequence
    self.time = time
    self.event = event
  }
}

/// An order with everything that ever changed it. The events alone make the same order again.
package struct OrderEventLog: Sendable, Hashable {
  package private(set) var lifecycle: OrderLifecycle
  package private(set) var records: [OrderRecord] = []

  package init(_ order: Order) { self.lifecycle = OrderLifecycle(order) }

  /// Applies the event and keeps it if it changed anything.
  package mutating func append(
    _ event: OrderEvent, at time: Instant
  ) throws(OrderFault) -> OrderEffect {
    let effect = try lifecycle.apply(event, at: time)
    if case .applied(let sequence, _, _) = effect {
      records.append(OrderRecord(sequence: sequence, time: time, event: event))
    }
    return effect
  }

  /// Restores an order from its records, in order, as they were written.
  package mutating func restore(_ record: OrderRecord) throws(OrderFault) {
    let expected = lifecycle.sequence + 1
    guard record.sequence == expected else {
      throw .sequenceGap(expected: expected, found: record.sequence)
    }
    guard case .applied = try append(record.event, at: record.time) else {
      throw .sequenceGap(expected: expected, found: record.sequence)
    }
  }
}
