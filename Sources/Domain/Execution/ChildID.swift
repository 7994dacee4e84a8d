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
  package init?(parsing text: String) {
    let bytes = text.utf8.span
    let dash = OrderID.textLength
    guard bytes.count > dash, bytes[dash] == UInt8(ascii: "-"),
      let parent = OrderID(digits: bytes.extracting(..<dash)),
      let sequence = Self.number(bytes.extracting((dash + 1)...))
    else { return nil }
    self.init(parent: parent, sequence: sequence)
  }

  /// As `text` writes it: from 1 on, and without a sign or leading zeros.
  private static func number(_ digits: Span<UInt8>) -> UInt32? {
    guard !digits.isEmpty, digits[0] != UInt8(ascii: "0") else { return nil }
    var number: UInt32 = 0
    for index in digits.indices {
      let byte = digits[index]
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
