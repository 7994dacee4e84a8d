package import Chrono
package import Units

extension OrderLifecycle {
  /// Everything that an order is, for those who write it down and make it again. A new field of the
  /// order belongs here too: `init` and `memento` name them all.
  package struct Memento: Sendable, Hashable {
    package var order: Order
    package var terms: OrderTerms
    package var venueOrderID: String?
    package var filledQuantity: Quantity
    package var filledNotional: Notional
    package var venueFilled: Quantity
    package var sequence: UInt32
    package var updatedTime: Instant
    package var setAsideCount: UInt32
    package var executions: Set<String>
    package var phase: Phase

    package init(
      order: Order, terms: OrderTerms, venueOrderID: String?, filledQuantity: Quantity,
      filledNotional: Notional, venueFilled: Quantity, sequence: UInt32, updatedTime: Instant,
      setAsideCount: UInt32, executions: Set<String>, phase: Phase
    ) {
      self.order = order
      self.terms = terms
      self.venueOrderID = venueOrderID
      self.filledQuantity = filledQuantity
      self.filledNotional = filledNotional
      self.venueFilled = venueFilled
      self.sequence = sequence
      self.updatedTime = updatedTime
      self.setAsideCount = setAsideCount
      self.executions = executions
      self.phase = phase
    }

    package enum Phase: Sendable, Hashable {
      /// `progress`: 0 drafted, 1 journaled, 2 sent, 3 acknowledged.
      case live(
        progress: UInt8, cancelReason: String?, replacement: OrderTerms?,
        replacementVersion: UInt32, doubt: String?)
      case closed(Closing)
    }
  }

  package var memento: Memento {
    let phase: Memento.Phase =
      switch self.phase {
      case .live(let flight):
        .live(
          progress: UInt8(flight.progress.rawValue), cancelReason: flight.cancelReason,
          replacement: flight.replacement, replacementVersion: flight.replacementVersion,
          doubt: flight.doubt)
      case .closed(let closing): .closed(closing)
      }
    return Memento(
      order: order, terms: terms, venueOrderID: venueOrderID, filledQuantity: filledQuantity,
      filledNotional: filledNotional, venueFilled: venueFilled, sequence: sequence,
      updatedTime: updatedTime, setAsideCount: setAsideCount, executions: executions, phase: phase)
  }

  /// Nil when no order was ever like that.
  package init?(_ memento: Memento) {
    self.init(memento.order)
    terms = memento.terms
    venueOrderID = memento.venueOrderID
    filledQuantity = memento.filledQuantity
    filledNotional = memento.filledNotional
    venueFilled = memento.venueFilled
    setAsideCount = memento.setAsideCount
    executions = memento.executions
    restore(sequence: memento.sequence, updatedTime: memento.updatedTime)
    switch memento.phase {
    case .closed(let closing): phase = .closed(closing)
    case .live(let progress, let cancelReason, let replacement, let version, let doubt):
      guard let progress = Progress(rawValue: Int(progress)) else { return nil }
      phase = .live(
        Flight(
          progress: progress, cancelReason: cancelReason, replacement: replacement,
          replacementVersion: version, doubt: doubt))
    }
  }
}
