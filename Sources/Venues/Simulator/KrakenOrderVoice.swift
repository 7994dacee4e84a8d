internal import Bytes
internal import Chrono
internal import JSON
internal import OrderBook
internal import Units
internal import Venue

/// The orders of the best levels of a book as a subscriber of one depth holds them.
struct OrderView: Equatable {
  private let depth: Int
  private(set) var bids: [BookOrder]
  private(set) var asks: [BookOrder]

  /// Levels of a side that the checksum is over.
  private static let checksumLevels = 10

  init(depth: Int, bids: [BookOrder], asks: [BookOrder]) {
    self.depth = depth
    self.bids = Self.cut(bids, depth)
    self.asks = Self.cut(asks, depth)
  }

  private static func cut(_ orders: [BookOrder], _ depth: Int) -> [BookOrder] {
    var levels = 0
    var last: Price?
    let end = orders.firstIndex { order in
      if order.price != last { levels += 1 }
      last = order.price
      return levels > depth
    }
    return Array(orders[..<(end ?? orders.endIndex)])
  }

  /// What a subscriber has who takes these events and cuts its book.
  func applying(_ events: [OrderEvent]) -> OrderView {
    var (bids, asks) = (bids, asks)
    for event in events {
      if event.order.side == .buy {
        event.apply(to: &bids) { $0 > $1 }
      } else {
        event.apply(to: &asks) { $0 < $1 }
      }
    }
    return OrderView(depth: depth, bids: bids, asks: asks)
  }

  /// What makes this view the other one. What left the depth and still stands is not told.
  func events(to new: OrderView, standing: Set<UInt64>) -> [OrderEvent] {
    Self.events(bids, new.bids, standing) + Self.events(asks, new.asks, standing)
  }

  private static func events(
    _ old: [BookOrder], _ new: [BookOrder], _ standing: Set<UInt64>
  ) -> [OrderEvent] {
    let before = Dictionary(uniqueKeysWithValues: old.map { ($0.orderID, $0) })
    let gone = old.filter { !standing.contains($0.orderID) }
    return gone.map { OrderEvent(kind: .delete, order: $0) }
      + new.compactMap { order in
        guard let known = before[order.orderID] else { return OrderEvent(kind: .add, order: order) }
        return known == order ? nil : OrderEvent(kind: .modify, order: order)
      }
  }

  /// CRC-32 of price and quantity of each order of the best levels, without points and leading zeros:
  /// asks, then bids.
  func checksum(_ market: SimulatedMarket) -> UInt32 {
    var text = ""
    for side in [asks, bids] {
      for order in Self.cut(side, Self.checksumLevels) {
        for number in [market.krakenText(order.price), market.krakenText(order.remaining)] {
          text += number.filter { $0 != "." }.drop { $0 == "0" }
        }
      }
    }
    return CRC32.of(text)
  }
}

/// A change of one order, as the channel tells it.
struct OrderEvent: Equatable {
  enum Kind: String {
    case add
    case modify
    case delete
  }

  var kind: Kind
  var order: BookOrder

  func apply(to orders: inout [BookOrder], _ isBetter: (Price, Price) -> Bool) {
    let place = orders.firstIndex { $0.orderID == order.orderID }
    if kind == .modify, let place, orders[place].price == order.price,
      order.remaining <= orders[place].remaining
    {
      orders[place] = order
      return
    }
    if let place { orders.remove(at: place) }
    guard kind != .delete else { return }
    let behind = orders.firstIndex { isBetter(order.price, $0.price) } ?? orders.endIndex
    orders.insert(order, at: behind)
  }
}

/// Books by orders in Kraken's words (docs.kraken.com/api/docs/websocket-v2/level3). The time of an
/// order is that of the message which tells it.
struct KrakenOrderVoice {
  static let depths = [10, 100, 1_000]

  private let markets: [SimulatedMarket]
  private var views: [KrakenChannel: OrderView] = [:]
  private var paths: [KrakenChannel: FaultyPath<[UInt8]>] = [:]
  /// What subscribers hold while messages are lost or held back: a loss that the checksum would not
  /// show goes on.
  private var behind: [KrakenChannel: (view: OrderView, fault: BookFault)] = [:]

  init(_ markets: [SimulatedMarket]) { self.markets = markets }

  mutating func keep(_ heard: Set<KrakenChannel>) {
    views = views.filter { heard.contains($0.key) }
    paths = paths.filter { heard.contains($0.key) }
    behind = behind.filter { heard.contains($0.key) }
  }

  mutating func snapshot(
    _ market: Int, _ depth: Int, _ bids: [BookOrder], _ asks: [BookOrder], _ time: Instant
  ) -> [UInt8] {
    let channel = KrakenChannel.orders(market: market, depth: depth)
    let view = views[channel] ?? OrderView(depth: depth, bids: bids, asks: asks)
    views[channel] = view
    let orders = (view.bids + view.asks).map { OrderEvent(kind: .add, order: $0) }
    return message("snapshot", market, orders, checksum: view.checksum(markets[market]), time)
  }

  mutating func messages(
    _ market: Int, _ bids: [BookOrder], _ asks: [BookOrder], _ fault: BookFault?, _ time: Instant
  ) -> [(channel: KrakenChannel, payload: [UInt8])] {
    var messages: [(channel: KrakenChannel, payload: [UInt8])] = []
    let standing = Set((bids + asks).map(\.orderID))
    for depth in Self.depths {
      let channel = KrakenChannel.orders(market: market, depth: depth)
      guard let before = views[channel] else { continue }
      var view = OrderView(depth: depth, bids: bids, asks: asks)
      views[channel] = view
      var events = before.events(to: view, standing: standing)
      guard !events.isEmpty else { continue }
      let fault = lasting(fault, channel, before, view.checksum(markets[market]), events)
      if fault == .crossed, let ask = view.asks.first {
        let crossing = BookOrder(
          orderID: 0, side: .buy, price: Price(ask.price.raw + 1), remaining: ask.remaining)
        events.append(OrderEvent(kind: .add, order: crossing))
        view = view.applying([OrderEvent(kind: .add, order: crossing)])
      }
      var sum = view.checksum(markets[market])
      if fault == .badChecksum { sum ^= 1 }
      let payload = message("update", market, events, checksum: sum, time)
      for message in paths[channel, default: FaultyPath()].pass([payload], fault) {
        messages.append((channel, message))
      }
    }
    return messages
  }

  private mutating func lasting(
    _ fault: BookFault?, _ channel: KrakenChannel, _ before: OrderView, _ sum: UInt32,
    _ events: [OrderEvent]
  ) -> BookFault? {
    guard case .orders(let market, _) = channel else { return fault }
    if let fault, fault == .gap || fault == .reorder {
      behind[channel] = (behind[channel]?.view ?? before, fault)
      return fault
    }
    guard let (held, lasting) = behind[channel] else { return fault }
    guard held.applying(events).checksum(markets[market]) == sum else {
      behind[channel] = nil
      return fault
    }
    return fault ?? lasting
  }

  private func message(
    _ type: String, _ market: Int, _ events: [OrderEvent], checksum: UInt32, _ time: Instant
  ) -> [UInt8] {
    let settings = markets[market]
    var json = JSONWriter(reserving: 128 * events.count + 128)
    json.object { json in
      json.member("channel", "level3")
      json.member("type", type)
      json.name("data")
      json.array { json in
        json.object { json in
          json.member("symbol", settings.symbol)
          json.member("checksum", checksum)
          for (name, side) in [("bids", Side.buy), ("asks", .sell)] {
            json.name(name)
            json.array { json in
              for event in events where event.order.side == side {
                json.object { json in
                  if type == "update" { json.member("event", event.kind.rawValue) }
                  json.member("order_id", KrakenID.text(event.order.orderID, "O"))
                  json.member("limit_price", number: settings.krakenText(event.order.price))
                  json.member("order_qty", number: settings.krakenText(event.order.remaining))
                  json.member("timestamp", time.krakenText)
                }
              }
            }
          }
          json.member("timestamp", time.krakenText)
        }
      }
    }
    return json.finished()
  }
}
