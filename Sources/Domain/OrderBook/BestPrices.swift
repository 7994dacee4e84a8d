internal import Units

/// One side's best price of each venue, and the best of them with who shows it. Keys grow towards
/// the touch.
///
/// A change costs the same for any number of venues, save when the last venue at the best price
/// goes: then all are looked at.
struct BestPrices: ~Copyable {
  static let none = Int64.min

  private struct Entry {
    var key: Int64
    var quantity: Int64
  }

  private let count: Int
  private let entries: UnsafeMutablePointer<Entry>
  private var bestKey = none
  /// Who is at the best price; zero when nobody shows any.
  private var mask: UInt64 = 0
  /// What they show there together. 128 bits: a sum that was cut could not be taken apart again.
  private var total: Int128 = 0

  init(count: Int) {
    self.count = count
    entries = .allocate(capacity: count)
    entries.initialize(repeating: Entry(key: Self.none, quantity: 0), count: count)
  }

  deinit { entries.deallocate() }

  var best: (key: Int64, quantity: Int64)? {
    mask == 0 ? nil : (bestKey, Int64(clamping: total))
  }

  var shares: [VenueShare] {
    (0..<count).filter { mask & 1 << UInt64($0) != 0 }
      .map { VenueShare(listing: $0, quantity: Quantity(entries[$0].quantity)) }
  }

  /// True when the best price or a size at it changed.
  @inline(__always)
  mutating func set(_ index: Int, _ key: Int64, _ quantity: Int64) -> Bool {
    precondition(index >= 0 && index < count, "listing \(index) of \(count)")
    let old = entries[index]
    guard old.key != key || old.quantity != quantity else { return false }
    entries[index] = Entry(key: key, quantity: quantity)
    let bit: UInt64 = 1 << UInt64(index)
    if key > bestKey {
      bestKey = key
      mask = bit
      total = Int128(quantity)
      return true
    }
    let wasBest = mask & bit != 0
    guard wasBest || (key == bestKey && key != Self.none) else { return false }
    if wasBest {
      total -= Int128(old.quantity)
      mask &= ~bit
    }
    if key == bestKey {
      mask |= bit
      total += Int128(quantity)
    } else if mask == 0 {
      findBest()
    }
    return true
  }

  private mutating func findBest() {
    bestKey = Self.none
    mask = 0
    total = 0
    for index in 0..<count where entries[index].key != Self.none {
      let entry = entries[index]
      if entry.key > bestKey {
        bestKey = entry.key
        mask = 0
        total = 0
      }
      guard entry.key == bestKey else { continue }
      mask |= 1 << UInt64(index)
      total += Int128(entry.quantity)
    }
  }
}
