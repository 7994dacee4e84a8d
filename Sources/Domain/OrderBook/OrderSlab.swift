internal import Units
internal import Venue

/// Where an order waits. Even queues have their best order at the greatest price, odd ones at the
/// least.
enum OrderQueue: UInt8 {
  case bids = 0
  case asks = 1
  /// All-or-none orders, which nobody sees.
  case wholeBids = 2
  case wholeAsks = 3
  /// By the price that sets them off: the highest first for those that sell, the lowest for those
  /// that buy.
  case sellStops = 4
  case buyStops = 5

  static let count = 6

  static func book(_ side: Side) -> OrderQueue { side == .buy ? .bids : .asks }
  static func whole(_ side: Side) -> OrderQueue { side == .buy ? .wholeBids : .wholeAsks }
  static func stops(_ side: Side) -> OrderQueue { side == .buy ? .buyStops : .sellStops }

  /// The key of a price in the queue's ladder, whose best is the greatest key.
  @inline(__always)
  func key(_ price: Price) -> Int64 { rawValue & 1 == 0 ? price.raw : 0 &- price.raw }
}

/// An order in a slab, linked to its neighbours in the queue of its level. -1 is nobody.
struct OrderSlot {
  var orderID: UInt64
  /// The limit; of a market order the end of the scale.
  var price: Price
  /// All of it, the hidden part too.
  var remaining: Quantity
  /// What can trade before it goes to the end of the queue.
  var shown: Quantity
  /// How much is shown again each time; zero when all of it always is.
  var display: Quantity
  var owner: UInt32
  var level: Int32
  var next: Int32
  var previous: Int32
  var queue: OrderQueue
  var side: Side
  var type: OrderType
  var timeInForce: TimeInForce
  var selfTradePrevention: SelfTradePrevention
  var isAllOrNone: Bool
}

/// The queue of one price: first in, first filled.
struct LevelSlot {
  var price: Price
  /// What the orders show.
  var total: Quantity
  /// What icebergs do not show.
  var hidden: Quantity
  var head: Int32
  var tail: Int32
}

/// A growing array whose elements keep their number; freed numbers are used again, last freed
/// first, so after the busiest moment nothing allocates.
struct Slab<Element>: ~Copyable {
  private var elements: UnsafeMutablePointer<Element>
  private var free: UnsafeMutablePointer<Int32>
  private var capacity = 64
  private var used: Int32 = 0
  private var freeCount = 0

  init() {
    precondition(_isPOD(Element.self), "a slab neither copies nor destroys what it holds")
    elements = .allocate(capacity: capacity)
    free = .allocate(capacity: capacity)
  }

  deinit {
    elements.deallocate()
    free.deallocate()
  }

  @inline(__always)
  mutating func insert(_ element: Element) -> Int32 {
    if freeCount > 0 {
      freeCount &-= 1
      let slot = free[freeCount]
      elements[Int(slot)] = element
      return slot
    }
    if Int(used) == capacity { grow() }
    (elements + Int(used)).initialize(to: element)
    used += 1
    return used - 1
  }

  @inline(__always)
  mutating func release(_ slot: Int32) {
    free[freeCount] = slot
    freeCount &+= 1
  }

  /// Precondition: `slot` was given by `insert`.
  @inline(__always)
  subscript(slot: Int32) -> Element {
    unsafeAddress { UnsafePointer(elements + Int(slot)) }
    unsafeMutableAddress { elements + Int(slot) }
  }

  private mutating func grow() {
    let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity * 2)
    larger.moveInitialize(from: elements, count: capacity)
    elements.deallocate()
    elements = larger
    let freed = UnsafeMutablePointer<Int32>.allocate(capacity: capacity * 2)
    freed.moveInitialize(from: free, count: freeCount)
    free.deallocate()
    free = freed
    capacity *= 2
  }
}
