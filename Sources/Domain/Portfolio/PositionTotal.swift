internal import Units
internal import Venue

package enum PositionGrouping: UInt8, Sendable, Hashable, CaseIterable {
  /// A symbol over all venues: long at one and short at another net.
  case symbol = 1
  case venue = 2
  case account = 3

  func name(of position: Position) -> String {
    switch self {
    case .symbol: position.instrument.symbol
    case .venue: position.instrument.venue.name
    case .account: position.account
    }
  }
}

/// Positions of one group added up, in one quote asset.
package struct PositionTotal: Sendable, Hashable {
  package struct Group: Sendable, Hashable {
    package let name: String
    package let quote: String
  }

  package let group: Group
  package let grouping: PositionGrouping
  /// Long less short, in the base asset; only where the group is one symbol.
  package private(set) var net: Amount?
  /// Sum of |net| at the mark: what netting does not lessen.
  package private(set) var grossExposure = Amount.zero
  /// Sum of net at the mark.
  package private(set) var netExposure = Amount.zero
  package private(set) var realised = Amount.zero
  package private(set) var unrealised = Amount.zero
  package private(set) var fees = Amount.zero
  package private(set) var profit = Amount.zero
  package private(set) var dayProfit = Amount.zero
  package private(set) var positionCount = 0

  init(group: Group, grouping: PositionGrouping) {
    self.group = group
    self.grouping = grouping
    self.net = grouping == .symbol ? .zero : nil
  }

  mutating func add(_ position: Position) throws(PortfolioFault) {
    let scale = position.instrument.notionalScale
    let quantity = Amount(
      units: Int128(position.net.raw), scale: position.instrument.quantityScale)
    let worth = Amount(
      units: Int128(position.net.raw) * Int128(position.valuationPrice.raw), scale: scale)
    if let sum = net { net = try sum.adding(quantity) }
    grossExposure = try grossExposure.adding(worth.magnitude())
    netExposure = try netExposure.adding(worth)
    realised = try realised.adding(Amount(units: position.realised.raw, scale: scale))
    unrealised = try unrealised.adding(Amount(units: position.unrealised.raw, scale: scale))
    fees = try fees.adding(position.fees)
    profit = try profit.adding(position.profit())
    dayProfit = try dayProfit.adding(position.dayProfit())
    positionCount += 1
  }
}
