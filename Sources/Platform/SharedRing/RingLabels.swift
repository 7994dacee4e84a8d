internal import Glibc

/// Texts in a ring's file: written once each, before their number is told, never changed.
enum RingLabels {
  static let textMax = RingLayout.labelBytes - 8

  static func text(_ mapping: RingMapping, _ index: Int) -> String {
    let label = mapping.base + mapping.layout.labelsOffset + index * RingLayout.labelBytes
    let count = min(textMax, Int(truncatingIfNeeded: label.load(as: UInt64.self)))
    return String(
      decoding: UnsafeRawBufferPointer(start: label + 8, count: count), as: UTF8.self)
  }

  static func holds(
    _ mapping: RingMapping, _ index: Int, _ text: UnsafeBufferPointer<UInt8>
  ) -> Bool {
    let label = mapping.base + mapping.layout.labelsOffset + index * RingLayout.labelBytes
    guard label.load(as: UInt64.self) == UInt64(text.count) else { return false }
    guard let start = text.baseAddress else { return true }
    return memcmp(label + 8, start, text.count) == 0
  }

  static func write(_ mapping: RingMapping, _ index: Int, _ text: UnsafeBufferPointer<UInt8>) {
    let label = mapping.base + mapping.layout.labelsOffset + index * RingLayout.labelBytes
    label.storeBytes(of: UInt64(text.count), as: UInt64.self)
    if let start = text.baseAddress { (label + 8).copyMemory(from: start, byteCount: text.count) }
  }
}
