internal import Venue

package enum PositionGrouping: UInt8, Sendable, Hashable, CaseIterable {
  /// A symbol over all venues: long at one and short at another net.
  case symbol = 1
  case venue = 2
  case account = 3
  /// All of one quote asset.
  case quote = 4

  func name(of position: Position) -> String {
    switch self {
    case .symbol: position.market.symbol
    case .venue: position.market.venue.name
    case .account: position.account
    case .quote: position.quote
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
    let worth = try position.worth()
    if let sum = net { net = try sum.adding(position.net) }
    grossExposure = try grossExposure.adding(worth.magnitude())
    netExposure = try netExposure.adding(worth)
    realised = try realised.adding(position.realised)
    unrealised = try unrealised.adding(position.unrealised())
    fees = try fees.adding(position.fees)
    profit = try profit.adding(position.profit())
    dayProfit = try dayProfit.adding(position.dayProfit())
    positionCount += 1
  }
}
