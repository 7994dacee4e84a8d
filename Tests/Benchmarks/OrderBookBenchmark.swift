import CAllocationCount
import Chrono
import OrderBook
import Units
import Venue

/// What one question about books and matching measured; times are nanoseconds per operation.
struct OrderBookMeasurement {
  let name: String
  let p50: Double
  let p99: Double
  let operationsPerSecond: Double
  /// Of the heap, per operation.
  let allocations: Double

  /// `samples` are nanoseconds per operation, each over the same kind of batch.
  init(name: String, samples: [Double], operations: Int, nanoseconds: UInt64, allocations: Int64) {
    let sorted = samples.sorted()
    self.name = name
    p50 = sorted[sorted.count / 2]
    p99 = sorted[sorted.count * 99 / 100]
    operationsPerSecond = Double(operations) * 1e9 / Double(max(1, nanoseconds))
    self.allocations = Double(allocations) / Double(operations)
  }
}

/// What does one level of a recorded delta cost? Sequence check and crossed check included; each
/// sample is one delta, 36 levels on average.
func orderBookReplay(
  _ capture: OrderBookCapture, name: String, rounds: Int = 10
) -> OrderBookMeasurement {
  let time = SystemTime()
  var samples: [Double] = []
  samples.reserveCapacity(capture.deltas.count * rounds)
  var nanoseconds: UInt64 = 0
  var allocations: Int64 = 0
  for _ in 0..<rounds {
    let book = SequencedBook()
    precondition(book.apply(capture.snapshot) == .recovered)
    for delta in capture.deltas {
      let levels = delta.bids.count + delta.asks.count
      let before = allocation_count()
      let start = time.uptime
      let action = book.apply(delta)
      let spent = time.uptime.nanoseconds - start.nanoseconds
      allocations += allocation_count() - before
      precondition(action == .applied, "the capture has a gap at \(delta.firstUpdateID)")
      nanoseconds += spent
      if levels > 0 { samples.append(Double(spent) / Double(levels)) }
    }
  }
  return OrderBookMeasurement(
    name: name, samples: samples, operations: capture.levelCount * rounds, nanoseconds: nanoseconds,
    allocations: allocations)
}

/// Does reading the best bid and ask depend on how deep the book is? It must not.
func orderBookBest(depth: Int) -> OrderBookMeasurement {
  let book = PriceLevelBook()
  for offset in 1...Int64(depth) {
    book.set(.buy, Price(1_000_000 - offset), to: Quantity(offset))
    book.set(.sell, Price(1_000_000 + offset), to: Quantity(offset))
  }
  var sum: Int64 = 0
  let measurement = measureBatches(name: "order-book.best.depth-\(depth)", batch: 1_000) { _ in
    sum &+= (book.bestBid?.price.raw ?? 0) &+ (book.bestAsk?.quantity.raw ?? 0)
  }
  precondition(sum != 0)
  return measurement
}

/// What does an order cost that waits and is cancelled, in a market with 10,000 others?
func matchingAddCancel() -> OrderBookMeasurement {
  var market = BenchmarkMarket(orders: 10_000)
  return measureBatches(name: "matching.add-cancel", batch: 64) { _ in market.addAndCancel() }
}

/// What does a trade cost, with the order that takes and the one that takes the maker's place?
func matchingAddFill() -> OrderBookMeasurement {
  var market = BenchmarkMarket(orders: 10_000)
  return measureBatches(name: "matching.add-fill", batch: 64) { _ in market.fillAndReplace() }
}

/// What does a command of a market cost, when orders arrive (52 of 100), are cancelled (38) and take
/// (10), among 10,000 others? An operation is one command. The commands were written down before,
/// by a market that they keep at its size; every cancel finds its order.
func matchingMix(rounds: Int = 5) -> OrderBookMeasurement {
  let (opening, tape) = MatchingTape.record(orders: 10_000, commands: 500_000)
  let time = SystemTime()
  let batch = 500
  var samples: [Double] = []
  samples.reserveCapacity(tape.count / batch * rounds)
  var nanoseconds: UInt64 = 0
  var allocations: Int64 = 0
  var events: [MatchEvent] = []
  events.reserveCapacity(256)
  for _ in 0..<rounds {
    let engine = MatchingEngine(ordersMax: 20_000)
    // Once through to grow to its largest, then emptied: steady state.
    for command in opening + tape { command.run(on: engine, into: &events) }
    engine.cancelAll(owner: 1, into: &events)
    events = []
    events.reserveCapacity(256)
    for command in opening { command.run(on: engine, into: &events) }
    for first in stride(from: 0, to: tape.count, by: batch) {
      let before = allocation_count()
      let start = time.uptime
      for index in first..<first + batch {
        events.removeAll(keepingCapacity: true)
        tape[index].run(on: engine, into: &events)
      }
      let spent = time.uptime.nanoseconds - start.nanoseconds
      allocations += allocation_count() - before
      nanoseconds += spent
      samples.append(Double(spent) / Double(batch))
    }
  }
  return OrderBookMeasurement(
    name: "order-book.match", samples: samples, operations: tape.count * rounds,
    nanoseconds: nanoseconds, allocations: allocations)
}

/// Commands of a seeded market, written down.
private enum MatchingTape {
  enum Command {
    case place(OrderRequest)
    case cancel(UInt64)

    @inline(__always)
    func run(on engine: MatchingEngine, into events: inout [MatchEvent]) {
      switch self {
      case .place(let request): engine.place(request, into: &events)
      case .cancel(let orderID): engine.cancel(orderID: orderID, owner: 1, into: &events)
      }
    }
  }

  static func record(orders: Int, commands: Int) -> (opening: [Command], tape: [Command]) {
    let engine = MatchingEngine(ordersMax: 2 * orders)
    var random = Xorshift()
    var live: [UInt64] = []
    var events: [MatchEvent] = []
    var nextID: UInt64 = 0
    func run(_ command: Command) -> Command {
      events.removeAll(keepingCapacity: true)
      command.run(on: engine, into: &events)
      return command
    }
    func order(_ side: Side, owner: UInt32, price: Price?, quantity: Int64) -> Command {
      nextID += 1
      return .place(
        OrderRequest(
          orderID: nextID, owner: owner, side: side, type: price == nil ? .market : .limit,
          timeInForce: price == nil ? .ioc : .gtc, price: price, quantity: Quantity(quantity),
          selfTradePrevention: .newest))
    }
    func next() -> Command {
      let roll = engine.orderCount < orders ? 0 : random.below(100)
      let side: Side = random.below(2) == 0 ? .buy : .sell
      if roll >= 90 {
        return order(side, owner: 2, price: nil, quantity: 10 * (1 + random.below(2)))
      }
      if roll >= 52 {
        while true {
          let index = Int(random.below(Int64(live.count)))
          live.swapAt(index, live.count - 1)
          let id = live.removeLast()
          if engine.order(id) != nil { return .cancel(id) }
        }
      }
      live.append(nextID + 1)
      // Nearer prices are likelier: the lesser of two draws.
      let distance = 1 + min(random.below(1_000), random.below(1_000))
      return order(
        side, owner: 1, price: Price(1_000_000 - side.sign * distance), quantity: 10)
    }
    let opening = (0..<orders).map { _ in run(next()) }
    return (opening, (0..<commands).map { _ in run(next()) })
  }
}

private struct Xorshift {
  private var state: UInt64 = 88_172_645_463_325_252

  mutating func below(_ bound: Int64) -> Int64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int64(state % UInt64(bound))
  }
}

func measureBatches(
  name: String, batch: Int, batches: Int = 2_000, _ body: (Int) -> Void
) -> OrderBookMeasurement {
  let time = SystemTime()
  for index in 0..<batch * 20 { body(index) }
  var samples: [Double] = []
  samples.reserveCapacity(batches)
  var nanoseconds: UInt64 = 0
  var allocations: Int64 = 0
  for _ in 0..<batches {
    let before = allocation_count()
    let start = time.uptime
    for index in 0..<batch { body(index) }
    let spent = time.uptime.nanoseconds - start.nanoseconds
    allocations += allocation_count() - before
    nanoseconds += spent
    samples.append(Double(spent) / Double(batch))
  }
  return OrderBookMeasurement(
    name: name, samples: samples, operations: batch * batches, nanoseconds: nanoseconds,
    allocations: allocations)
}

/// A full market with a seeded stream of orders.
private struct BenchmarkMarket {
  private let engine: MatchingEngine
  private var events: [MatchEvent] = []
  private var nextOrderID: UInt64 = 1
  private var random = Xorshift()

  init(orders: Int) {
    engine = MatchingEngine(ordersMax: orders + 10)
    events.reserveCapacity(64)
    for index in 0..<orders {
      place(index % 2 == 0 ? .buy : .sell, distance: random.below(1_000) + 1)
    }
  }

  mutating func addAndCancel() {
    let orderID = nextOrderID
    place(orderID % 2 == 0 ? .buy : .sell, distance: random.below(1_000) + 1)
    engine.cancel(orderID: orderID, owner: 1, into: &events)
  }

  mutating func fillAndReplace() {
    let side: Side = nextOrderID % 4 < 2 ? .buy : .sell
    let best = engine.best(side.opposite)!.price
    place(side, price: best, quantity: 10)
    place(side.opposite, price: best, quantity: 10)
  }

  private mutating func place(_ side: Side, distance: Int64) {
    place(side, price: Price(1_000_000 - side.sign * distance), quantity: 10)
  }

  private mutating func place(_ side: Side, price: Price, quantity: Int64) {
    events.removeAll(keepingCapacity: true)
    engine.place(
      OrderRequest(
        orderID: nextOrderID, owner: 1, side: side, type: .limit, timeInForce: .gtc, price: price,
        quantity: Quantity(quantity), selfTradePrevention: .none), into: &events)
    nextOrderID += 1
  }
}
