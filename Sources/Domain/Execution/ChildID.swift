package import Orders

/// A child's client order id: the parent's id and a sequence, so that the venue's private stream leads
/// back to the parent, and sending again is recognised.
package struct ChildID: Sendable, Hashable {
  package let parent: OrderID
  package let sequence: UInt32

  package init(parent: OrderID, sequence: UInt32) {
    self.parent = parent
    self.sequence = sequence
  }

  /// Nil for ids that are not ours.
  package init?(parsing text: some StringProtocol) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let parent = OrderID(parsing: parts[0]),
      let sequence = UInt32(parts[1]), sequence > 0, "\(sequence)" == parts[1]
    else { return nil }
    self.init(parent: parent, sequence: sequence)
  }

  package var text: String { "\(parent)-\(sequence)" }
}
