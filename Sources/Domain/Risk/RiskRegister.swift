package import Chrono
package import Units

/// The limits, the trading state and the kill switch in force: what the risk-manager promises.
///
/// A pure machine: `decide...` says what would change and changes nothing, `apply` folds an event and
/// never fails. Everything that is known is the fold of its events in order.
package struct RiskRegister: Sendable, Hashable {
  /// Nil until they are known: taken over from the record of an earlier version, or from the settings.
  package private(set) var limits: RiskLimits?
  package private(set) var killSwitch = KillSwitchState()
  package private(set) var trading = TradingStateChange()
  package private(set) var lossReset: DailyLossReset?
  /// Grows with every event.
  package private(set) var version: UInt64 = 0

  package init() {}

  package mutating func apply(_ event: RiskEvent) {
    version += 1
    switch event {
    case .takenOver(let limits, let killSwitch, let earlier):
      self.limits = limits
      version = max(version, earlier)
      // Who has engaged it meanwhile is not undone by what the old record says.
      if let killSwitch, self.killSwitch.number == 0 { self.killSwitch.apply(killSwitch) }
    case .symbol(let symbol, var limits):
      limits.maxNotional = self.limits?.standard.maxNotional ?? limits.maxNotional
      self.limits?.symbols[symbol] = limits
    case .account(let account, let maxNotional):
      limits?.account = account
      limits?.standard.maxNotional = maxNotional
      for symbol in Array(limits?.symbols.keys ?? [:].keys) {
        limits?.symbols[symbol]?.maxNotional = maxNotional
      }
    case .killSwitch(let change): killSwitch.apply(change)
    case .trading(let change): trading = change
    case .lossReset(let reset): lossReset = reset
    }
  }
}

extension RiskRegister {
  /// Takes a version after the other's, which readers have seen: they would not look at an older one.
  package mutating func outgrow(_ other: RiskRegister) {
    version = max(version, other.version + 1)
  }
}

/// What was decided, complete in itself.
package enum RiskEvent: Sendable, Hashable {
  /// Everything that held when this register began, and its version then.
  case takenOver(RiskLimits, KillSwitchChange?, version: UInt64)
  case symbol(String, SymbolLimits)
  /// The limit of one order's notional is one for all symbols.
  case account(AccountLimits, maxNotional: Decimal)
  case killSwitch(KillSwitchChange)
  case trading(TradingStateChange)
  case lossReset(DailyLossReset)
}

package struct TradingStateChange: Sendable, Hashable {
  package let state: TradingState
  package let reason: String
  package let actor: String
  package let time: Instant

  package init(
    state: TradingState = .active, reason: String = "", actor: String = "",
    time: Instant = Instant(nanoseconds: 0)
  ) {
    self.state = state
    self.reason = reason
    self.actor = actor
    self.time = time
  }
}

/// An operator has looked at the day's loss and lets trading go on.
package struct DailyLossReset: Sendable, Hashable {
  package let reason: String
  package let actor: String
  package let time: Instant

  package init(reason: String, actor: String, time: Instant) {
    self.reason = reason
    self.actor = actor
    self.time = time
  }
}

extension RiskRegister {
  /// The change that these new limits of a symbol are; a fault leaves the old ones in force.
  package func decide(
    symbol: String, _ change: (inout SymbolLimits) throws -> Void
  ) throws -> RiskEvent? {
    guard var changed = limits else { return nil }
    var next = changed.limits(of: symbol)
    try change(&next)
    changed.symbols[symbol] = next
    try changed.validate()
    return .symbol(symbol, next)
  }

  package func decideAccount(
    _ change: (inout AccountLimits, inout Decimal) throws -> Void
  ) throws -> RiskEvent? {
    guard var changed = limits else { return nil }
    var notional = changed.standard.maxNotional
    try change(&changed.account, &notional)
    changed.standard.maxNotional = notional
    try changed.validate()
    return .account(changed.account, maxNotional: notional)
  }
}
