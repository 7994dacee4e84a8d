import OrderBook
import Testing
import Units
import Venue

/// The market-by-order book written the obvious way: one list of orders in time priority.
private struct NaiveOrders {
  var orders: [BookOrder] = []

  func index(_ id: UInt64) -> Int? { orders.firstIndex { $0.orderID == id } }

  mutating func modify(_ id: UInt64, price: Price, quantity: Quantity) {
    let at = index(id)!
    let old = orders[at]
    let new = BookOrder(orderID: id, side: old.side, price: price, remaining: quantity)
    if old.price == price, quantity <= old.remaining {
      orders[at] = new
    } else {
      orders.remove(at: at)
      orders.append(new)
    }
  }

  mutating func take(_ id: UInt64, _ quantity: Quantity) {
    let at = index(id)!
    let old = orders[at]
    orders[at] = BookOrder(
      orderID: id, side: old.side, price: old.price, remaining: old.remaining - quantity)
    if orders[at].remaining.raw == 0 { orders.remove(at: at) }
  }

  func queue(_ side: Side, _ price: Price) -> [BookOrder] {
    orders.filter { $0.side == side && $0.price == price }
  }

  var levels: NaiveBook {
    var book = NaiveBook()
    for order in orders {
      switch order.side {
      case .buy: book.bids[order.price.raw, default: 0] += order.remaining.raw
      case .sell: book.asks[order.price.raw, default: 0] += order.remaining.raw
      }
    }
    return book
  }
}

@Suite struct `Order by order book` {
  @Test(arguments: [1, 2, 3])
  func
    `OB-06 a seeded feed of orders leaves every queue and the price levels equal to the naive twin`(
      seed: UInt64
    ) throws
  {
    print("OB-06 seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let book = OrderByOrderBook()
    var naive = NaiveOrders()
    var nextID: UInt64 = 1
    for step in 1...20_000 {
      let known = naive.orders.isEmpty ? nil : naive.orders[random.below(naive.orders.count)]
      let quantity = Quantity(Int64(random.below(50) + 1))
      let price = Price(Int64(1_000 + random.below(12)))
      switch random.below(naive.orders.count > 120 ? 12 : 8) {
      case 0..<4:
        let side: Side = random.chance(50) ? .buy : .sell
        try book.add(nextID, side, price, quantity)
        naive.orders.append(
          BookOrder(orderID: nextID, side: side, price: price, remaining: quantity))
        nextID += 1
      case 4..<6:
        guard let known else { continue }
        let keepsPrice = random.chance(60)
        try book.modify(
          known.orderID, price: keepsPrice ? known.price : price, quantity: quantity)
        naive.modify(known.orderID, price: keepsPrice ? known.price : price, quantity: quantity)
      case 6:
        guard let known else { continue }
        let executed = min(quantity, known.remaining)
        try book.execute(known.orderID, executed)
        naive.take(known.orderID, executed)
      default:
        guard let known else { continue }
        try book.delete(known.orderID)
        naive.take(known.orderID, known.remaining)
      }
      if step % 50 == 0 { expectEqual(book, naive, "seed \(seed) step \(step)") }
    }
  }

  private func expectEqual(_ book: OrderByOrderBook, _ naive: NaiveOrders, _ what: Comment) {
    #expect(book.orderCount == naive.orders.count, what)
    for side in Side.allCases {
      let expected = naive.levels.levels(side)
      #expect(book.levels.allLevels(side) == expected, what)
      for level in expected {
        let queue = naive.queue(side, level.price)
        #expect(book.queue(side, at: level.price) == queue, what)
        let ahead = queue.dropLast()
        #expect(
          book.queuePosition(of: queue.last!.orderID)
            == QueuePosition(
              ordersAhead: ahead.count,
              quantityAhead: Quantity(ahead.reduce(0) { $0 + $1.remaining.raw })), what)
      }
    }
  }

  @Test func `OB-06 the same market as orders and as levels gives the same level book`() throws {
    let byOrder = OrderByOrderBook()
    let byLevel = PriceLevelBook()
    try byOrder.add(1, .buy, Price(99), Quantity(5))
    try byOrder.add(2, .buy, Price(99), Quantity(7))
    try byOrder.add(3, .sell, Price(101), Quantity(4))
    try byOrder.execute(1, Quantity(2))
    try byOrder.modify(2, price: Price(98), quantity: Quantity(7))
    byLevel.apply(
      delta(1...5, bids: [level(99, 3), level(98, 7)], asks: [level(101, 4)]))

    #expect(byOrder.levels.stateHash == byLevel.stateHash)
    byOrder.removeAll()
    #expect(byOrder.levels.isEmpty && byOrder.orderCount == 0)
  }

  @Test func `less quantity keeps the place in the queue, more loses it`() throws {
    let book = OrderByOrderBook()
    for id in UInt64(1)...3 { try book.add(id, .buy, Price(99), Quantity(10)) }
    try book.modify(1, price: Price(99), quantity: Quantity(4))
    #expect(book.queue(.buy, at: Price(99)).map(\.orderID) == [1, 2, 3])
    try book.modify(1, price: Price(99), quantity: Quantity(5))
    #expect(book.queue(.buy, at: Price(99)).map(\.orderID) == [2, 3, 1])
    #expect(
      book.queuePosition(of: 1) == QueuePosition(ordersAhead: 2, quantityAhead: Quantity(20)))
  }

  @Test func `a message that cannot be true is refused by name and changes nothing`() throws {
    let book = OrderByOrderBook(ordersMax: 2)
    try book.add(1, .buy, Price(99), Quantity(5))
    let before = book.stateHash
    #expect(throws: OrderByOrderFault.duplicateOrder(1)) {
      try book.add(1, .sell, Price(99), Quantity(5))
    }
    #expect(throws: OrderByOrderFault.unknownOrder(9)) { try book.delete(9) }
    #expect(throws: OrderByOrderFault.quantity(order: 2, .zero)) {
      try book.add(2, .buy, Price(99), .zero)
    }
    #expect(
      throws: OrderByOrderFault.overExecution(
        order: 1, remaining: Quantity(5), executed: Quantity(6))
    ) { try book.execute(1, Quantity(6)) }
    #expect(book.stateHash == before)
    try book.add(2, .buy, Price(98), Quantity(5))
    #expect(throws: OrderByOrderFault.full(ordersMax: 2)) {
      try book.add(3, .buy, Price(99), Quantity(5))
    }
  }
}
