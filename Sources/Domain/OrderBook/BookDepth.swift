package import Chrono
package import Units
package import Venue

/// A level and everything at least as good on its side.
package struct CumulativeLevel: Sendable, Hashable {
  package var price: Price
  package var quantity: Quantity
  /// This level and all nearer to the touch.
  package var cumulative: Quantity
}

/// What taking a quantity at once would give, at the levels shown.
package struct Sweep: Sendable, Hashable {
  /// Less than asked when the side is too thin.
  package var filled: Quantity
  package var notional: Notional
  package var worstPrice: Price?

  package init(filled: Quantity, notional: Notional, worstPrice: Price?) {
    self.filled = filled
    self.notional = notional
    self.worstPrice = worstPrice
  }
}

extension PriceLevelBook {
  /// The best `max` levels of a side, from the touch outwards.
  package func levels(_ side: Side, max: Int) -> [PriceLevel] {
    var levels: [PriceLevel] = []
    levels.reserveCapacity(min(max, levelCount(side)))
    appendLevels(side, max: max, to: &levels)
    return levels
  }

  /// The same into an array of the caller's, which keeps its memory.
  package func appendLevels(_ side: Side, max: Int, to levels: inout [PriceLevel]) {
    guard max > 0 else { return }
    let end = levels.count + max
    forEachLevel(side) { level in
      levels.append(level)
      return levels.count < end
    }
  }

  /// The best `max` groups of width `step`: a bid counts towards the step at or below its price, an
  /// ask towards the step at or above, so a group never looks better than what is in it.
  package func grouped(_ side: Side, step: Price, max: Int) -> [PriceLevel] {
    precondition(step.raw > 0, "a price step of \(step.raw)")
    var groups: [PriceLevel] = []
    guard max > 0 else { return groups }
    forEachLevel(side) { level in
      let price = Self.group(of: level.price, step: step, side: side)
      if let last = groups.indices.last, groups[last].price == price {
        groups[last].quantity = saturatingSum(groups[last].quantity, level.quantity)
        return true
      }
      guard groups.count < max else { return false }
      groups.append(PriceLevel(price: price, quantity: level.quantity))
      return true
    }
    return groups
  }

  static func group(of price: Price, step: Price, side: Side) -> Price {
    let remainder = price.raw % step.raw
    let floor = price.raw - (remainder < 0 ? remainder + step.raw : remainder)
    return Price(side == .buy || remainder == 0 ? floor : floor + step.raw)
  }

  package func cumulative(_ side: Side, max: Int) -> [CumulativeLevel] {
    var levels: [CumulativeLevel] = []
    var sum = Quantity.zero
    guard max > 0 else { return levels }
    forEachLevel(side) { level in
      sum = saturatingSum(sum, level.quantity)
      levels.append(
        CumulativeLevel(price: level.price, quantity: level.quantity, cumulative: sum))
      return levels.count < max
    }
    return levels
  }

  /// The quantity in the best `max` levels of a side.
  package func quantity(_ side: Side, levels max: Int) -> Quantity {
    var sum = Quantity.zero
    var left = max
    guard max > 0 else { return sum }
    forEachLevel(side) { level in
      sum = saturatingSum(sum, level.quantity)
      left -= 1
      return left > 0
    }
    return sum
  }

  /// (bids - asks) / (bids + asks) over the best `max` levels: +1 all bids, -1 all asks, nil when
  /// both are empty. A signal, not money, hence a Double.
  package func imbalance(levels max: Int) -> Double? {
    let bid = Double(quantity(.buy, levels: max).raw)
    let ask = Double(quantity(.sell, levels: max).raw)
    guard bid + ask > 0 else { return nil }
    return (bid - ask) / (bid + ask)
  }

  /// What an order of `side` for `quantity` would take from the opposite levels, no worse than
  /// `limit`.
  package func sweep(_ side: Side, _ quantity: Quantity, limit: Price? = nil) -> Sweep {
    var sweep = Sweep(filled: .zero, notional: .zero, worstPrice: nil)
    forEachLevel(side.opposite) { level in
      if let limit, level.price.isWorse(than: limit, for: side) { return false }
      let taken = min(level.quantity, quantity - sweep.filled)
      guard taken.raw > 0 else { return false }
      sweep.filled += taken
      sweep.notional += level.price * taken
      sweep.worstPrice = level.price
      return true
    }
    return sweep
  }

  /// The whole book, or the best `levelsMax` of each side, as a value.
  package func snapshot(
    instrument: InstrumentID, updateID: UInt64, exchangeTime: Instant, receivedTime: Instant,
    levelsMax: Int = .max
  ) -> BookSnapshot {
    BookSnapshot(
      instrument: instrument, updateID: updateID, exchangeTime: exchangeTime,
      receivedTime: receivedTime, bids: levels(.buy, max: min(levelsMax, levelCount(.buy))),
      asks: levels(.sell, max: min(levelsMax, levelCount(.sell))))
  }

  /// A number that two books share exactly when, chance aside, all their levels are equal. The same
  /// on every machine and in every run.
  package var stateHash: UInt64 {
    var hash = StateHash()
    for side in Side.allCases {
      hash.combine(UInt64(side.rawValue))
      forEachLevel(side) { level in
        hash.combine(level.price.raw)
        hash.combine(level.quantity.raw)
        return true
      }
    }
    return hash.value
  }
}

extension Price {
  /// Worse to trade at for an order of this side: higher for a buyer, lower for a seller.
  func isWorse(than other: Price, for side: Side) -> Bool {
    side == .buy ? self > other : self < other
  }
}

/// The venue's numbers are not ours to trust: a sum over 64 bits stays at the greatest quantity.
func saturatingSum(_ left: Quantity, _ right: Quantity) -> Quantity {
  let (sum, overflow) = left.raw.addingReportingOverflow(right.raw)
  return Quantity(overflow ? .max : sum)
}
