internal import Units

/// An order in a slab, linked to its neighbours in the queue of its level. -1 is nobody.
struct OrderSlot {
  var orderID: UInt64
  var price: Price
  var remaining: Quantity
  var owner: UInt32
  var side: Side
  var level: Int32
  var next: Int32
  var previous: Int32
}

/// The queue of one price: first in, first filled.
struct LevelSlot {
  var price: Price
  var total: Quantity
  var head: Int32
  var tail: Int32
}

/// A growing array whose elements keep their number; freed numbers are used again, last freed
/// first, so after the busiest moment nothing allocates.
struct Slab<Element> {
  private var elements: ContiguousArray<Element> = []
  private var free: ContiguousArray<Int32> = []

  mutating func insert(_ element: Element) -> Int32 {
    if let slot = free.popLast() {
      elements[Int(slot)] = element
      return slot
    }
    elements.append(element)
    return Int32(elements.count - 1)
  }

  mutating func release(_ slot: Int32) { free.append(slot) }

  subscript(slot: Int32) -> Element {
    get { elements[Int(slot)] }
    _modify { yield &elements[Int(slot)] }
  }
}
