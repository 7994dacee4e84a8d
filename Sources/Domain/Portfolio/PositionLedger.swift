package import Chrono
package import Units
package import Venue

/// Every account's positions: fills and marks in, positions and profit out.
///
/// A fill is counted once by its execution id. The ids of today and yesterday (UTC) are remembered;
/// what is older than that a caller must know from the position in its own stream.
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
  }

  /// The position after the fill; nil if the fill was counted before.
  @discardableResult
  package mutating func apply(
    _ fill: VenueFill, side: Side, account: String, instrument: Instrument
  ) throws(PortfolioFault) -> Position? {
    let market = Market(instrument)
    let execution = ExecutionKey(
      key: PositionKey(account: account, market: market), executionID: fill.executionID)
    guard !today.executions.contains(execution), !yesterday.executions.contains(execution) else {
      return nil
    }
    var position =
      markets[market]?[account]
      ?? Position(account: account, instrument: instrument, since: fill.exchangeTime)
    try position.apply(fill, side: side)
    remember(execution, day: position.day)
    markets[market, default: [:]][account] = position
    return position
  }

  /// Values every account's position in this market.
  package mutating func mark(
    _ market: Market, at price: Price, time: Instant
  ) throws(PortfolioFault) {
    guard var accounts = markets.removeValue(forKey: market) else { return }
    defer { markets[market] = accounts }
    for account in accounts.keys {
      try accounts[account]?.mark(at: price, time: time)
    }
  }

  /// Starts a new UTC day for all, also for those that no event touches.
  package mutating func roll(to time: Instant) throws(PortfolioFault) {
    for market in markets.keys {
      for account in (markets[market] ?? [:]).keys {
        try markets[market]?[account]?.roll(to: time)
      }
    }
  }

  /// Puts back a position that was stored.
  package mutating func restore(_ position: Position) {
    markets[Market(position.instrument), default: [:]][position.account] = position
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

  /// All positions, or one account's, in the order of account, symbol, venue.
  package func positions(account: String? = nil) -> [Position] {
    markets.values
      .flatMap { $0.values }
      .filter { account == nil || $0.account == account }
      .sorted { left, right in
        (left.account, left.instrument.symbol, left.instrument.venue.name)
          < (right.account, right.instrument.symbol, right.instrument.venue.name)
      }
  }

  /// Sums over the positions of one account, or of all. Money of different quote assets is never
  /// added: each total is of one group and one quote.
  package func totals(
    by grouping: PositionGrouping, account: String? = nil
  ) throws(PortfolioFault) -> [PositionTotal] {
    var totals: [PositionTotal.Group: PositionTotal] = [:]
    for position in positions(account: account) {
      let group = PositionTotal.Group(
        name: grouping.name(of: position), quote: position.instrument.quote)
      var total = totals[group] ?? PositionTotal(group: group, grouping: grouping)
      try total.add(position)
      totals[group] = total
    }
    return totals.values.sorted {
      ($0.group.name, $0.group.quote) < ($1.group.name, $1.group.quote)
    }
  }
}
