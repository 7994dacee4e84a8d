internal import CSimdJSON

/// Decimal text straight to integers: no String, no Double.
extension JSONValue {
  /// A string or a number written as a plain decimal, as a whole number of `10^-scale`:
  /// `"61737.63"` at scale 2 is 6173763. Nil for anything else, for digits beyond the scale that
  /// are not zero, and for what does not fit 64 bits.
  package func scaled(_ scale: UInt8) -> Int64? {
    var result: Int64 = 0
    let found = tree.bytes.withUnsafeBufferPointer { bytes in
      csimdjson_scaled(bytes.baseAddress!, tree.nodes + index, UInt32(scale), &result)
    }
    return found ? result : nil
  }

  package func scaled(_ name: String, _ scale: UInt8) throws(JSONError) -> Int64 {
    let value = try member(name)
    guard let result = value.scaled(scale) else {
      throw .unexpected("\(name) is \(value), no decimal with \(scale) places")
    }
    return result
  }
}

/// Rows of two decimals, as venues send price levels, into memory that is used again.
package struct JSONScaledPairs: ~Copyable {
  package enum Rows: Sendable {
    /// `["61737.63", "0.5", ...]`
    case arrays
    /// `{"price": 61737.63, "qty": 0.5}`: the members of these names.
    case objects(StaticString, StaticString)
  }

  package private(set) var count = 0
  private var pairs: UnsafeMutablePointer<Int64>
  private var capacity: Int

  package init(capacity: Int = 64) {
    self.capacity = capacity
    pairs = .allocate(capacity: 2 * capacity)
  }

  deinit { pairs.deallocate() }

  package func first(_ row: Int) -> Int64 { pairs[2 * row] }
  package func second(_ row: Int) -> Int64 { pairs[2 * row + 1] }

  /// Both numbers of every row in their order: `count` times two of them.
  package borrowing func withRows<R>(_ body: (UnsafeBufferPointer<Int64>) -> R) -> R {
    body(UnsafeBufferPointer(start: pairs, count: 2 * count))
  }

  /// Every row of the array, or an error that names the row.
  package mutating func read(
    _ array: JSONArray, _ rows: Rows, scales first: UInt8, _ second: UInt8
  ) throws(JSONError) {
    count = 0
    if array.count > capacity {
      pairs.deallocate()
      capacity = array.count * 2
      pairs = .allocate(capacity: 2 * capacity)
    }
    let names: (UnsafePointer<CChar>?, UnsafePointer<CChar>?) =
      switch rows {
      case .arrays: (nil, nil)
      case .objects(let first, let second): (Self.text(first), Self.text(second))
      }
    let tree = array.tree
    let pairs = pairs
    let found = tree.bytes.withUnsafeBufferPointer { bytes in
      csimdjson_scaled_pairs(
        bytes.baseAddress!, tree.nodes, array.index, names.0, names.1, UInt32(first),
        UInt32(second), pairs)
    }
    guard found == array.count else {
      throw .unexpected(
        "row \(found) is \(array[found]?.description ?? ""), no pair of decimals with \(first) "
          + "and \(second) places")
    }
    count = found
  }

  /// The same rows of two strings straight from the text at the cursor, which must hold no white
  /// space there; false, and nothing read, when the text is anything else.
  package mutating func read(
    _ cursor: inout JSONCursor, scales first: UInt8, _ second: UInt8
  ) -> Bool {
    count = 0
    while true {
      let found = csimdjson_text_pairs(
        cursor.bytes, cursor.count, &cursor.at, UInt32(first), UInt32(second), pairs, capacity)
      if found >= 0 { count = found }
      guard found == -2 else { return found >= 0 }
      pairs.deallocate()
      capacity *= 2
      pairs = .allocate(capacity: 2 * capacity)
    }
  }

  private static func text(_ name: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
  }
}
