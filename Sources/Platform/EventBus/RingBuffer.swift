/// A queue in one array that is reused in circles; grows by doubling, up to its limit.
struct RingBuffer<Element> {
  let capacity: Int
  private var slots: [Element?] = []
  private var head = 0
  private(set) var count = 0

  init(capacity: Int) { self.capacity = capacity }

  var isFull: Bool { count == capacity }
  var isEmpty: Bool { count == 0 }

  /// Precondition: not full.
  mutating func append(_ element: Element) {
    precondition(count < capacity, "a full queue of \(capacity) takes no more")
    if count == slots.count { grow() }
    var tail = head + count
    if tail >= slots.count { tail -= slots.count }
    slots[tail] = element
    count += 1
  }

  mutating func popFirst() -> Element? {
    guard count > 0 else { return nil }
    let element = slots[head].take()
    head += 1
    if head == slots.count { head = 0 }
    count -= 1
    return element
  }

  private mutating func grow() {
    let size = min(capacity, max(16, slots.count * 2))
    var larger: [Element?] = []
    larger.reserveCapacity(size)
    for offset in 0..<count { larger.append(slots[(head + offset) % slots.count]) }
    larger.append(contentsOf: repeatElement(nil, count: size - count))
    slots = larger
    head = 0
  }
}
