/// Slots by order number: open addressing with linear probing, at most half full, and deletion that
/// moves the followers back (Knuth, The Art of Computer Programming 3, 6.4, algorithm R), so that
/// it never slows down with age. Zero is no order's number. Allocates only to grow.
struct OrderTable: ~Copyable {
  private struct Entry {
    var orderID: UInt64
    var slot: Int32
  }

  private(set) var count = 0
  private var mask: Int
  private var shift: UInt64
  private var entries: UnsafeMutablePointer<Entry>

  init() {
    let capacity = 64
    mask = capacity - 1
    shift = UInt64(64 - capacity.trailingZeroBitCount)
    entries = Self.empty(capacity)
  }

  deinit { entries.deallocate() }

  @inline(__always)
  func find(_ orderID: UInt64) -> Int32? {
    guard orderID != 0 else { return nil }
    var at = home(of: orderID)
    while true {
      let entry = entries[at]
      if entry.orderID == orderID { return entry.slot }
      if entry.orderID == 0 { return nil }
      at = (at &+ 1) & mask
    }
  }

  /// Precondition: the table does not have the number, and it is not zero.
  @inline(__always)
  mutating func insert(_ orderID: UInt64, _ slot: Int32) {
    if (count &+ 1) &* 2 > mask { grow() }
    place(Entry(orderID: orderID, slot: slot))
    count &+= 1
  }

  /// Precondition: the table has the number.
  @inline(__always)
  mutating func remove(_ orderID: UInt64) {
    var hole = home(of: orderID)
    while entries[hole].orderID != orderID { hole = (hole &+ 1) & mask }
    var at = hole
    while true {
      at = (at &+ 1) & mask
      let entry = entries[at]
      if entry.orderID == 0 { break }
      // An entry may move back to the hole unless its home lies after the hole.
      if (at &- home(of: entry.orderID)) & mask >= (at &- hole) & mask {
        entries[hole] = entry
        hole = at
      }
    }
    entries[hole].orderID = 0
    count &-= 1
  }

  /// Fibonacci hashing: numbers given one after another spread evenly.
  @inline(__always)
  private func home(of orderID: UInt64) -> Int {
    Int(truncatingIfNeeded: (orderID &* 0x9e37_79b9_7f4a_7c15) &>> shift)
  }

  @inline(__always)
  private func place(_ entry: Entry) {
    var at = home(of: entry.orderID)
    while entries[at].orderID != 0 { at = (at &+ 1) & mask }
    entries[at] = entry
  }

  private mutating func grow() {
    let old = entries
    let capacity = mask + 1
    mask = capacity * 2 - 1
    shift -= 1
    entries = Self.empty(capacity * 2)
    for at in 0..<capacity where old[at].orderID != 0 { place(old[at]) }
    old.deallocate()
  }

  private static func empty(_ capacity: Int) -> UnsafeMutablePointer<Entry> {
    let entries = UnsafeMutablePointer<Entry>.allocate(capacity: capacity)
    entries.initialize(repeating: Entry(orderID: 0, slot: -1), count: capacity)
    return entries
  }
}
