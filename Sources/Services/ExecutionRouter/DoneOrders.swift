internal import Orders

/// Orders that are done, in the order of their ends. One that has lived again since comes twice.
struct DoneOrders: Sendable {
  private var ids: [OrderID] = []
  private var head = 0

  var count: Int { ids.count - head }
  var all: ArraySlice<OrderID> { ids[head...] }

  mutating func append(_ id: OrderID) { ids.append(id) }

  mutating func popFirst() -> OrderID? {
    guard head < ids.count else { return nil }
    defer {
      head += 1
      if head > 65_536 {
        ids.removeFirst(head)
        head = 0
      }
    }
    return ids[head]
  }
}
