internal import Chrono

package struct TimerToken: Sendable, Hashable {
  let id: UInt64
  let slot: Int
}

/// A binary heap of deadlines, whose bodies are in slots of their own. Cancelled entries stay until
/// their time comes or until they are more than half of the heap, then it is rebuilt: cancelling is
/// O(1), and memory stays within twice the live timers.
struct TimerHeap {
  private struct Entry {
    let deadline: Uptime
    let id: UInt64
    let slot: Int
  }

  private struct Slot {
    /// 0 while the slot is free.
    var id: UInt64 = 0
    var body: (() -> Void)?
  }

  private var heap: [Entry] = []
  private var slots: [Slot] = []
  private var freeSlots: [Int] = []
  private var lastID: UInt64 = 0

  var next: Uptime? { heap.first?.deadline }

  @discardableResult
  mutating func add(_ deadline: Uptime, _ body: @escaping () -> Void) -> TimerToken {
    lastID += 1
    let slot = freeSlots.popLast() ?? slots.count
    if slot == slots.count { slots.append(Slot()) }
    slots[slot] = Slot(id: lastID, body: body)
    heap.append(Entry(deadline: deadline, id: lastID, slot: slot))
    siftUp(heap.count - 1)
    return TimerToken(id: lastID, slot: slot)
  }

  /// The body that will not run, for the caller to let go of when this heap may be used again.
  mutating func cancel(_ timer: TimerToken) -> (() -> Void)? {
    guard let body = take(timer.id, timer.slot) else { return nil }
    if heap.count > 64, heap.count > 2 * (slots.count - freeSlots.count) { rebuild() }
    return body
  }

  private mutating func take(_ id: UInt64, _ slot: Int) -> (() -> Void)? {
    guard slots[slot].id == id else { return nil }
    let body = slots[slot].body
    slots[slot] = Slot()
    freeSlots.append(slot)
    return body
  }

  /// Takes out the earliest timer whose deadline has come; nil when none has.
  mutating func popDue(_ now: Uptime) -> (() -> Void)? {
    while let first = heap.first, first.deadline <= now {
      removeFirst()
      if let body = take(first.id, first.slot) { return body }
    }
    return nil
  }

  private mutating func rebuild() {
    heap = heap.filter { slots[$0.slot].id == $0.id }
    for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { siftDown(index) }
  }

  private func isBefore(_ left: Int, _ right: Int) -> Bool {
    if heap[left].deadline != heap[right].deadline {
      return heap[left].deadline < heap[right].deadline
    }
    return heap[left].id < heap[right].id
  }

  private mutating func removeFirst() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    if !heap.isEmpty { siftDown(0) }
  }

  private mutating func siftUp(_ start: Int) {
    var index = start
    while index > 0, isBefore(index, (index - 1) / 2) {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  private mutating func siftDown(_ start: Int) {
    var index = start
    while true {
      var least = index
      for child in [2 * index + 1, 2 * index + 2] where child < heap.count {
        if isBefore(child, least) { least = child }
      }
      if least == index { return }
      heap.swapAt(index, least)
      index = least
    }
  }
}
