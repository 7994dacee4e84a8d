package import Units

/// How a market maker quotes, checked whole when it is made.
package struct MarketMakerSettings: Sendable, Hashable {
  package enum FairPrice: String, Sendable, Hashable, CaseIterable {
    case mid
    /// The mid weighted by the other side's quantity: leans to where the next trade will push, and
    /// so away from being picked off.
    case microprice
  }

  package let fairPrice: FairPrice
  package let halfSpreadTicks: Int64
  /// Of each quote.
  package let size: Quantity
  /// No quote is placed whose fill would take |position| above this.
  package let maxPosition: Quantity
  /// By how much both quotes move against the position when it is at its maximum.
  package let skewTicksMax: Int64
  /// A quote stays while it is less than this from where it should be.
  package let requoteTicks: Int64
  /// Between two changes of one side. Cancels do not wait.
  package let requoteInterval: Duration
  /// An older book is stale: all quotes are cancelled.
  package let bookAgeMax: Duration

  package init(
    fairPrice: FairPrice, halfSpreadTicks: Int64, size: Quantity, maxPosition: Quantity,
    skewTicksMax: Int64, requoteTicks: Int64, requoteInterval: Duration, bookAgeMax: Duration
  ) throws(StrategySettingsFault) {
    guard Self.ticks.contains(halfSpreadTicks) else { throw .outOfRange("half_spread_ticks") }
    guard (0...Self.ticks.upperBound).contains(skewTicksMax) else {
      throw .outOfRange("skew_ticks_max")
    }
    guard Self.ticks.contains(requoteTicks) else { throw .outOfRange("requote_ticks") }
    guard size > .zero else { throw .notPositive("size") }
    guard maxPosition >= size else { throw .notPositive("max_position less size") }
    guard requoteInterval >= .zero else { throw .notPositive("requote_interval") }
    guard bookAgeMax > .zero else { throw .notPositive("book_age_max") }
    self.fairPrice = fairPrice
    self.halfSpreadTicks = halfSpreadTicks
    self.size = size
    self.maxPosition = maxPosition
    self.skewTicksMax = skewTicksMax
    self.requoteTicks = requoteTicks
    self.requoteInterval = requoteInterval
    self.bookAgeMax = bookAgeMax
  }

  package static let ticks: ClosedRange<Int64> = 1...1_000_000
}

package enum StrategySettingsFault: Error, Sendable, Hashable {
  case outOfRange(String)
  case notPositive(String)

  package var problem: String {
    switch self {
    case .outOfRange(let name): "\(name) must be at most 1000000, and not below its least"
    case .notPositive(let name): "\(name) must not be below zero, nor zero where that means nothing"
    }
  }
}
