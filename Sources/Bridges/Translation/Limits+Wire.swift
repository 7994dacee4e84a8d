package import Calls
internal import Chrono
package import Contracts
package import Risk
package import Units

extension RiskV1.Limits {
  package init(_ limits: RiskLimits) {
    self.init()
    account = RiskV1.AccountLimits(limits.account, maxNotional: limits.standard.maxNotional)
    defaultSymbol = RiskV1.SymbolLimits("", limits.standard)
    symbols = limits.symbols.sorted { $0.key < $1.key }.map {
      RiskV1.SymbolLimits($0.key, $0.value)
    }
  }

  /// What readers are told.
  package init(_ register: RiskRegister) {
    self.init()
    if let limits = register.limits { self.init(limits) }
    version = register.version
    killSwitch = RiskV1.KillSwitch(register.killSwitch)
    tradingState = RiskV1.TradingStatus(register.trading)
    dailyLossReset = register.lossReset.map(RiskV1.DailyLossReset.init)
  }
}

extension RiskLimits {
  package init(_ message: RiskV1.Limits) throws(RPCError) {
    let account = message.account ?? .init()
    let notional = try Decimal(required: account.maxNotional, field: "account.maxNotional")
    var symbols: [String: SymbolLimits] = [:]
    for symbol in message.symbols {
      symbols[symbol.symbol] = try SymbolLimits(symbol, maxNotional: notional)
    }
    self.init(
      currency: RiskLimits.standard.currency, account: try AccountLimits(account),
      standard: try SymbolLimits(message.defaultSymbol ?? .init(), maxNotional: notional),
      symbols: symbols)
  }
}

extension RiskV1.AccountLimits {
  package init(_ limits: AccountLimits, maxNotional: Decimal) {
    self.init()
    ordersPerSecond = UInt32(clamping: limits.ordersPerSecond)
    ordersPerMinute = UInt32(clamping: limits.ordersPerMinute)
    self.maxNotional = TypeV1.Decimal(maxNotional)
    maxDailyLoss = TypeV1.Decimal(limits.maxDailyLoss)
    maxGrossExposure = limits.maxGrossExposure.map { TypeV1.Decimal($0) }
  }
}

extension AccountLimits {
  package init(_ message: RiskV1.AccountLimits) throws(RPCError) {
    self = .standard
    ordersPerSecond = Int(message.ordersPerSecond)
    ordersPerMinute = Int(message.ordersPerMinute)
    maxDailyLoss = try Decimal(required: message.maxDailyLoss, field: "maxDailyLoss")
    maxGrossExposure = try Decimal(message.maxGrossExposure, field: "maxGrossExposure")
  }
}

extension RiskV1.SymbolLimits {
  package init(_ symbol: String, _ limits: SymbolLimits) {
    self.init()
    self.symbol = symbol
    lot = TypeV1.Decimal(limits.lot)
    maxOrderSize = TypeV1.Decimal(limits.maxOrderSize)
    maxLong = TypeV1.Decimal(limits.maxLongPosition)
    maxShort = TypeV1.Decimal(limits.maxShortPosition)
    priceBand = limits.priceBand.map { TypeV1.Decimal($0) }
  }
}

extension SymbolLimits {
  package init(_ message: RiskV1.SymbolLimits, maxNotional: Decimal) throws(RPCError) {
    self.init(
      lot: try Decimal(required: message.lot, field: "lot"),
      maxOrderSize: try Decimal(required: message.maxOrderSize, field: "maxOrderSize"),
      maxLongPosition: try Decimal(required: message.maxLong, field: "maxLong"),
      maxShortPosition: try Decimal(required: message.maxShort, field: "maxShort"),
      maxNotional: maxNotional,
      priceBand: try Decimal(message.priceBand, field: "priceBand"))
  }
}

// MARK: - Kill switch and trading state

extension RiskV1.KillSwitch {
  package init(_ state: KillSwitchState) {
    self.init()
    engaged = state.isEngaged
    reason = state.reason
    actor = state.actor
    if state.number > 0 { changedAt = .init(state.time) }
    change = state.number
  }
}

extension RiskV1.KillSwitchChange {
  package init(_ change: KillSwitchChange) {
    self.init()
    self.change = change.number
    engaged = change.isEngaged
    reason = change.reason
    actor = change.actor
    changedAt = .init(change.time)
  }
}

extension KillSwitchChange {
  package init(_ message: RiskV1.KillSwitchChange) throws(RPCError) {
    self.init(
      number: message.change, isEngaged: message.engaged, reason: message.reason,
      actor: message.actor,
      time: try Instant(message.changedAt, field: "changedAt") ?? Instant(nanoseconds: 0))
  }
}

extension RiskV1.TradingStatus {
  package init(_ change: TradingStateChange) {
    self.init()
    state =
      switch change.state {
      case .active: .active
      case .reducing: .reducing
      case .halted: .halted
      }
    reason = change.reason
    actor = change.actor
    if change.time.nanoseconds != 0 { changedAt = .init(change.time) }
  }
}

extension TradingStateChange {
  package init(_ message: RiskV1.TradingStatus) throws(RPCError) {
    guard let state = TradingState(message.state) else {
      throw RPCError(.dataLoss, "there is no trading state \(message.state.rawValue)")
    }
    self.init(
      state: state, reason: message.reason, actor: message.actor,
      time: try Instant(message.changedAt, field: "changedAt") ?? Instant(nanoseconds: 0))
  }
}

extension TradingState {
  package init?(_ wire: RiskV1.TradingStatus.State) {
    switch wire {
    case .active: self = .active
    case .reducing: self = .reducing
    case .halted: self = .halted
    default: return nil
    }
  }
}

extension RiskV1.DailyLossReset {
  package init(_ reset: DailyLossReset) {
    self.init()
    reason = reset.reason
    actor = reset.actor
    resetAt = .init(reset.time)
  }
}
