import Chrono
import OrderBook
import Units
import Venue

/// The book written the obvious way: a dictionary per side, sorted whenever somebody asks.
struct NaiveBook {
  var bids: [Int64: Int64] = [:]
  var asks: [Int64: Int64] = [:]

  mutating func apply(_ snapshot: BookSnapshot) {
    bids = [:]
    asks = [:]
    apply(snapshot.bids, to: .buy)
    apply(snapshot.asks, to: .sell)
  }

  mutating func apply(_ delta: BookDelta) {
    apply(delta.bids, to: .buy)
    apply(delta.asks, to: .sell)
  }

  mutating func apply(_ levels: [PriceLevel], to side: Side) {
    for level in levels { set(side, level.price, to: level.quantity) }
  }

  mutating func set(_ side: Side, _ price: Price, to quantity: Quantity) {
    let value = quantity.raw > 0 ? quantity.raw : nil
    switch side {
    case .buy: bids[price.raw] = value
    case .sell: asks[price.raw] = value
    }
  }

  func levels(_ side: Side) -> [PriceLevel] {
    let prices = side == .buy ? bids.keys.sorted(by: >) : asks.keys.sorted(by: <)
    return prices.map {
      PriceLevel(price: Price($0), quantity: Quantity((side == .buy ? bids : asks)[$0]!))
    }
  }
}

extension PriceLevelBook {
  func allLevels(_ side: Side) -> [PriceLevel] { levels(side, max: .max) }
}

/// splitmix64: the same numbers for a seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
  mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
}

func level(_ price: Int64, _ quantity: Int64) -> PriceLevel {
  PriceLevel(price: Price(price), quantity: Quantity(quantity))
}

func snapshot(_ updateID: UInt64, bids: [PriceLevel], asks: [PriceLevel]) -> BookSnapshot {
  BookSnapshot(
    instrument: InstrumentID(0), updateID: updateID, exchangeTime: .epoch,
    receivedTime: .epoch, bids: bids, asks: asks)
}

func delta(
  _ ids: ClosedRange<UInt64>, bids: [PriceLevel] = [], asks: [PriceLevel] = []
) -> BookDelta {
  BookDelta(
    instrument: InstrumentID(0), firstUpdateID: ids.lowerBound, lastUpdateID: ids.upperBound,
    exchangeTime: .epoch, receivedTime: .epoch, bids: bids, asks: asks)
}
