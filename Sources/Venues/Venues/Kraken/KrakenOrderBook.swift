internal import Bytes
package import Chrono
internal import JSON
package import OrderBook
package import Units
package import Venue

/// What Kraken's feed needs of an instrument's own book, by levels or by orders.
protocol KrakenLocalBook: AnyObject {
  /// False before the first snapshot, and from a mismatch to the next one.
  var isWhole: Bool { get }
  /// Messages taken since the beginning: Kraken's books have no update numbers.
  var updates: UInt64 { get }
  var levels: PriceLevelBook { get }
  /// The message being read, or the last one, by levels.
  var delta: BookDelta { get }
  var checksum: UInt32 { get }
  func invalidate()
  func beginSnapshot(received: Instant)
  func begin(received: Instant)
  /// A row of the channel, in the order of its text.
  func take(_ row: JSONValue) throws(JSONError)
  /// Compares with the venue's; a mismatch makes the book one that is not whole.
  func verify(_ expected: UInt32) -> Bool
  func snapshot() -> BookSnapshot
}

extension KrakenBook: KrakenLocalBook {}

/// One instrument's book by orders, as Kraken's channel `level3` tells it: each order in its queue,
/// cut to the subscribed depth after each message, with a checksum over the orders of the best ten
/// levels a side, so that the queues are checked too.
///
/// The checksum is the CRC-32 of price and quantity of each order, with the pair's digits, without
/// point and leading zeros: asks from the lowest price up, then bids from the highest down
/// (docs.kraken.com/api/docs/guides/spot-ws-l3-v2). Orders beyond the depth are never deleted by a
/// message; those of a level that comes back into it are added again.
package final class KrakenOrderBook: KrakenLocalBook {
  package let instrument: Instrument
  package let depth: Int
  package let book: OrderByOrderBook
  package private(set) var isWhole = false
  package private(set) var updates: UInt64 = 0
  package private(set) var delta: BookDelta
  private var keys: [String: UInt64] = [:]
  private var names: [UInt64: String] = [:]
  private var lastKey: UInt64 = 0
  private var touchedBids: Set<Price> = []
  private var touchedAsks: Set<Price> = []

  private static let checkedLevels = 10

  package init(_ instrument: Instrument, depth: Int) {
    self.instrument = instrument
    self.depth = depth
    book = OrderByOrderBook()
    delta = BookDelta(
      instrument: instrument.id, firstUpdateID: 0, lastUpdateID: 0, exchangeTime: .epoch,
      receivedTime: .epoch, bids: [], asks: [])
  }

  package var levels: PriceLevelBook { book.levels }

  package func invalidate() { isWhole = false }

  /// The orders of a price, first to trade first, by Kraken's ids.
  package func queue(_ side: Side, at price: Price) -> [(name: String, remaining: Quantity)] {
    book.queue(side, at: price).map { (names[$0.orderID] ?? "", $0.remaining) }
  }

  // MARK: A message

  package func beginSnapshot(received: Instant) {
    book.removeAll()
    keys.removeAll(keepingCapacity: true)
    names.removeAll(keepingCapacity: true)
    isWhole = true
    begin(received: received)
  }

  package func begin(received: Instant) {
    updates += 1
    touchedBids.removeAll(keepingCapacity: true)
    touchedAsks.removeAll(keepingCapacity: true)
    delta = BookDelta(
      instrument: instrument.id, firstUpdateID: updates, lastUpdateID: updates,
      exchangeTime: received, receivedTime: received, bids: [], asks: [])
  }

  func take(_ row: JSONValue) throws(JSONError) {
    for order in try row.array("asks") { try take(.sell, order) }
    for order in try row.array("bids") { try take(.buy, order) }
    if let time = row["timestamp"]?.krakenTime { delta.exchangeTime = time }
    cut(.buy)
    cut(.sell)
    delta.bids = changes(.buy, touchedBids)
    delta.asks = changes(.sell, touchedAsks)
  }

  private func take(_ side: Side, _ order: JSONValue) throws(JSONError) {
    let name = try order.string("order_id")
    do throws(OrderByOrderFault) {
      switch order["event"]?.string ?? "add" {
      case "add":
        let level = try level(order)
        lastKey += 1
        guard keys[name] == nil else { throw .duplicateOrder(keys[name] ?? 0) }
        try book.add(lastKey, side, level.price, level.quantity)
        keys[name] = lastKey
        names[lastKey] = name
        touch(side, level.price)
      case "modify":
        let (key, old) = try known(name)
        let level = try level(order)
        try book.modify(key, price: level.price, quantity: level.quantity)
        touch(side, old)
        touch(side, level.price)
      case "delete":
        let (key, old) = try known(name)
        try book.delete(key)
        forget(key)
        touch(side, old)
      default: throw .unknownOrder(0)
      }
    } catch {
      throw .unexpected("\(instrument.symbol): \(order) cannot be: \(error)")
    }
  }

  private func level(_ order: JSONValue) throws(OrderByOrderFault) -> PriceLevel {
    do throws(JSONError) {
      return try instrument.krakenLevel(order.member("limit_price"), order.member("order_qty"))
    } catch {
      throw .quantity(order: 0, .zero)
    }
  }

  private func known(_ name: String) throws(OrderByOrderFault) -> (key: UInt64, price: Price) {
    guard let key = keys[name], let order = book.order(key) else { throw .unknownOrder(0) }
    return (key, order.price)
  }

  private func forget(_ key: UInt64) {
    if let name = names.removeValue(forKey: key) { keys[name] = nil }
  }

  private func touch(_ side: Side, _ price: Price) {
    if side == .buy { touchedBids.insert(price) } else { touchedAsks.insert(price) }
  }

  private func cut(_ side: Side) {
    guard levels.levelCount(side) > depth else { return }
    var gone: [Price] = []
    var place = 0
    levels.forEachLevel(side) { level in
      if place >= depth { gone.append(level.price) }
      place += 1
      return true
    }
    for price in gone {
      touch(side, price)
      for order in book.queue(side, at: price) {
        do throws(OrderByOrderFault) { try book.delete(order.orderID) } catch {
          preconditionFailure("an order of the book's own queue is not in it: \(error)")
        }
        forget(order.orderID)
      }
    }
  }

  private func changes(_ side: Side, _ prices: Set<Price>) -> [PriceLevel] {
    let sorted = side == .buy ? prices.sorted { $0 > $1 } : prices.sorted()
    return sorted.map { PriceLevel(price: $0, quantity: levels.quantity(side, at: $0)) }
  }

  package func snapshot() -> BookSnapshot {
    levels.snapshot(
      instrument: instrument.id, updateID: updates, exchangeTime: delta.exchangeTime,
      receivedTime: delta.receivedTime)
  }

  // MARK: Checksum

  package func verify(_ expected: UInt32) -> Bool {
    guard checksum == expected else {
      isWhole = false
      return false
    }
    return true
  }

  package var checksum: UInt32 {
    var text = ""
    for side in [Side.sell, .buy] {
      var left = Self.checkedLevels
      levels.forEachLevel(side) { level in
        for order in book.queue(side, at: level.price) {
          // At the pair's scale the digits without a point are the whole number itself.
          text += "\(order.price.raw)\(order.remaining.raw)"
        }
        left -= 1
        return left > 0
      }
    }
    return CRC32.of(text)
  }
}
