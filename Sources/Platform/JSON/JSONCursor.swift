internal import CSimdJSON
internal import Glibc

/// Walks over a text of which it is known how it should read, without parsing it: for the few kinds
/// of frame that come by the hundred thousand.
///
/// Each step takes exactly what it says or answers that it did not, and then nothing is known: the
/// text goes to the general reader, which has the last word. What all steps of a whole text took is
/// JSON. The memory must outlive the cursor.
package struct JSONCursor {
  let bytes: UnsafePointer<UInt8>
  let count: Int
  var at = 0

  package init(_ text: UnsafeBufferPointer<UInt8>) {
    // An empty text has no address, and none of it is read.
    bytes = text.baseAddress ?? UnsafePointer(bitPattern: 1)!
    count = text.count
  }

  package var isAtEnd: Bool { at == count }

  package mutating func take(_ text: StaticString) -> Bool {
    let length = text.utf8CodeUnitCount
    guard count - at >= length, memcmp(bytes + at, text.utf8Start, length) == 0 else {
      return false
    }
    at += length
    return true
  }

  /// Digits without a leading zero, as many as always fit.
  package mutating func unsigned() -> UInt64? {
    var end = at
    var value: UInt64 = 0
    while end < count, end - at < 19, bytes[end] &- 0x30 < 10 {
      value = value &* 10 &+ UInt64(bytes[end] &- 0x30)
      end += 1
    }
    guard end > at, end == at + 1 || bytes[at] != 0x30, end < count, bytes[end] &- 0x30 >= 10 else {
      return nil
    }
    at = end
    return value
  }

  /// What stands before the next quote, when it is printable ASCII without an escape; takes the
  /// quote too.
  package mutating func plainString() -> UnsafeBufferPointer<UInt8>? {
    var end = at
    while end < count, bytes[end] != UInt8(ascii: "\"") {
      guard bytes[end] >= 0x20, bytes[end] < 0x7f, bytes[end] != UInt8(ascii: "\\") else {
        return nil
      }
      end += 1
    }
    guard end < count else { return nil }
    defer { at = end + 1 }
    return UnsafeBufferPointer(start: bytes + at, count: end - at)
  }
}
