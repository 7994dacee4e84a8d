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
    let bytes = text.utf8
    guard let dash = bytes.firstIndex(of: UInt8(ascii: "-")),
      let parent = OrderID(digits: bytes[..<dash]),
      let sequence = Self.number(bytes[dash...].dropFirst())
    else { return nil }
    self.init(parent: parent, sequence: sequence)
  }

  /// As `text` writes it: from 1 on, and without a sign or leading zeros.
  private static func number(_ digits: some Collection<UInt8>) -> UInt32? {
    guard let first = digits.first, first != UInt8(ascii: "0") else { return nil }
    var number: UInt32 = 0
    for byte in digits {
      guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else { return nil }
      let (tens, isTooLarge) = number.multipliedReportingOverflow(by: 10)
      let (sum, isOver) = tens.addingReportingOverflow(UInt32(byte - UInt8(ascii: "0")))
      guard !isTooLarge, !isOver else { return nil }
      number = sum
    }
    return number
  }

  package var text: String { "\(parent)-\(sequence)" }
}
