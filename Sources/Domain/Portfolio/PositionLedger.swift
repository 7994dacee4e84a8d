package import Chrono
internal import Mutants
internal import Venue

/// Every account's positions: fills and marks in, positions and profit out.
///
/// A fill is counted once by its execution id and its order: the two legs of a self-trade have one
/// execution id, and both count. The ids of today and yesterday (UTC) are remembered; what is older
/// than that a caller must know from the position in its own stream.
package struct PositionLedger: Sendable {
  private var markets: [Market: [String: Position]] = [:]
  private var today = ExecutionDay(day: .min)
  private var yesterday = ExecutionDay(day: .min)

  package init() {}

  private struct ExecutionDay: Sendable {
    var day: Int64
    var executions: Set<ExecutionKey> = []
  }

  private struct ExecutionKey: Sendable, Hashable {
    var key: PositionKey
    var executionID: String
    var orderID: String
  }

  /// The position after the fill; nil if the fill was counted before.
  @discardableResult
  package mutating func apply(_ fill: AccountFill) throws(PortfolioFault) -> Position? {
    let execution = ExecutionKey(
      key: PositionKey(account: fill.account, market: fill.market),
      executionID: fill.executionID,
      orderID: Mutant.isOn(.legsAreOne) ? "" : fill.orderID)
    guard !today.executions.contains(execution), !yesterday.executions.contains(execution) else {
      return nil
    }
    var position =
      markets[fill.market]?[fill.account]
      ?? Position(
        account: fill.account, market: fill.market, base: fill.base, quote: fill.quote,
        since: fill.time)
    try position.apply(fill)
    remember(execution, day: position.day)
    markets[fill.market, default: [:]][fill.account] = position
    return position
  }

  /// Values every account's position in this market. One that cannot take the mark keeps its last
  /// one, and is thrown when the others have theirs.
  package mutating func mark(
    _ market: Market, at price: Amount, time: Instant
  ) throws(PortfolioFault) {
    guard var accounts = markets.removeValue(forKey: market) else { return }
    defer { markets[market] = accounts }
    var fault: PortfolioFault?
    for account in accounts.keys {
      do throws(PortfolioFault) { try accounts[account]?.mark(at: price, time: time) } catch {
        fault = error
      }
    }
    if let fault { throw fault }
  }

  /// Starts a new UTC day for all, also for those that no event touches; how many positions it is new
  /// for.
  @discardableResult
  package mutating func roll(to time: Instant) throws(PortfolioFault) -> Int {
    var rolled = 0
    for market in markets.keys {
      for account in (markets[market] ?? [:]).keys {
        let before = markets[market]?[account]?.day
        try markets[market]?[account]?.roll(to: time)
        if markets[market]?[account]?.day != before { rolled += 1 }
      }
    }
    return rolled
  }

  /// Puts back a position that was stored.
  package mutating func restore(_ position: Position) {
    markets[position.market, default: [:]][position.account] = position
  }

  private mutating func remember(_ execution: ExecutionKey, day: Int64) {
    if day > today.day {
      yesterday = today
      today = ExecutionDay(day: day)
    }
    today.executions.insert(execution)
  }
}

extension PositionLedger {
  package func position(_ key: PositionKey) -> Position? { markets[key.market]?[key.account] }

  /// Every account's position in one market.
  package func positions(in market: Market) -> [Position] {
    (markets[market] ?? [:]).values.sorted { $0.account < $1.account }
  }

  /// All positions, or one account's, in the order of account, symbol, venue.
  package func positions(account: String? = nil) -> [Position] {
    markets.values
      .flatMap { $0.values }
      .filter { account == nil || $0.account == account }
      .sorted { left, right in
        (left.account, left.market.symbol, left.market.venue.name)
          < (right.account, right.market.symbol, right.market.venue.name)
      }
  }

  /// Sums over the positions of one account, or of all. Money of different quote assets is never
  /// added: each total is of one group and one quote.
  package func totals(
    by grouping: PositionGrouping, account: String? = nil
  ) throws(PortfolioFault) -> [PositionTotal] {
    var totals: [PositionTotal.Group: PositionTotal] = [:]
    for position in positions(account: account) {
      let group = PositionTotal.Group(name: grouping.name(of: position), quote: position.quote)
      var total = totals[group] ?? PositionTotal(group: group, grouping: grouping)
      try total.add(position)
      totals[group] = total
    }
    return totals.values.sorted {
      ($0.group.name, $0.group.quote) < ($1.group.name, $1.group.quote)
    }
  }
}
