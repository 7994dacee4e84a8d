package import Units

/// Everything that the rules read of one instrument alone, in raw units of that instrument, together
/// in two 128-byte lines of its own.
struct GateSlot {
  var isKnown = false
  var isTrading = false
  var hasReference = false
  /// Its book lost its place, or the word of it: from then until the next reference nothing passes.
  var isTainted = false
  /// There was a reference price, however old: `mark` is one.
  var isMarked = false
  /// The symbol that it is a market of; lives as long as the gate.
  var group: UnsafeMutablePointer<GateGroup>
  /// The next market of the symbol; -1: none.
  var nextOfGroup: Int32 = -1
  /// Signed; filled.
  var position: Int64 = 0
  /// Admitted and not yet filled or released.
  var openBuy: Int64 = 0
  var openSell: Int64 = 0
  var sizeMax: Int64 = 0
  /// Raw quantities, and prices, times these are in the units of the group.
  var quantityFactor: Int64 = 1
  var priceFactor: Int64 = 1
  /// The position with which the day began, and the mark that valued it then; 0: not known yet.
  var dayPosition: Int64 = 0
  var dayMark: Int64 = 0
  var notionalMax: Int128 = 0
  /// The reference price; before there is one, the last fill's, which values but is no reference.
  var mark: Int64 = 0
  var markTime: UInt64 = 0
  /// The band as a fraction; denominator 0: not checked.
  var bandNumerator: Int64 = 0
  var bandDenominator: Int64 = 0
  /// Raw notional times this is money at the account's scale.
  var moneyFactor: Int128 = 1
  /// Fees in the base asset that make no raw quantity yet, at 18 decimals; not negative.
  var baseFeeRest: Int64 = 0

  static let stride = 256

  init(_ group: UnsafeMutablePointer<GateGroup>) { self.group = group }
}

/// What the rules read of the account. Money is at the account's scale.
struct GateAccount {
  var state = TradingState.active
  var isGrossLimited = false
  var ordersPerSecond = 0
  var ordersPerMinute = 0
  var lossMax: Int128 = 0
  var grossMax: Int128 = 0
  var referenceAgeMax: UInt64 = 0
  /// Of this UTC day.
  var profit: Int128 = 0
  /// The loss limit was reached today: only what reduces passes until the day ends or an operator has
  /// looked, whatever becomes of the profit.
  var isLossLatched = false
  /// Whether profits are what they were at the time, and not history that is read again.
  var watchesLoss = true
  var gross: Int128 = 0
  /// Whole days since 1970-01-01, UTC.
  var day: Int64 = .min
  /// How many orders were ever admitted: the next one's place in the ring.
  var admitted: UInt64 = 0
}

package enum TradingState: UInt8, Sendable, Hashable, CaseIterable {
  case active = 1
  /// Only orders that bring a position nearer to zero.
  case reducing = 2
  case halted = 3
}

/// An account's exposure in one instrument, as the gate counts it.
package struct GateExposure: Sendable, Hashable {
  package let position: Quantity
  package let openBuy: Quantity
  package let openSell: Quantity
  package let mark: Price?
}
