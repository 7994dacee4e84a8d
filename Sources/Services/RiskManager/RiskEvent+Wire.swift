internal import Calls
internal import Chrono
internal import Contracts
internal import Risk
internal import Translation
internal import Units

/// Events between the domain and the journal's record: the only place.
extension RiskEvent {
  func record(by actor: String, at now: Instant) -> RiskV1.JournalRecord {
    var record = RiskV1.JournalRecord()
    record.time = .init(now)
    record.actor = actor
    switch self {
    case .takenOver(let limits, let killSwitch, let version):
      var message = RiskV1.Limits(limits)
      message.version = version
      message.killSwitch = killSwitch.map {
        var state = KillSwitchState()
        state.apply($0)
        return RiskV1.KillSwitch(state)
      }
      record.record = .takenOver(message)
    case .symbol(let symbol, let limits): record.record = .symbol(.init(symbol, limits))
    case .account(let account, let notional):
      record.record = .account(.init(account, maxNotional: notional))
    case .killSwitch(let change): record.record = .killSwitch(.init(change))
    case .trading(let change): record.record = .tradingState(.init(change))
    case .lossReset(let reset): record.record = .dailyLossReset(.init(reset))
    }
    return record
  }

  init(_ record: RiskV1.JournalRecord) throws {
    switch record.record {
    case .takenOver(let message):
      var killSwitch: KillSwitchChange?
      if let known = message.killSwitch {
        killSwitch = KillSwitchChange(
          number: known.change, isEngaged: known.engaged, reason: known.reason, actor: known.actor,
          time: try Instant(known.changedAt, field: "changedAt") ?? Instant(nanoseconds: 0))
      }
      self = .takenOver(try RiskLimits(message), killSwitch, version: message.version)
    case .symbol(let message):
      // The notional is the account's; the fold puts it in.
      self = .symbol(message.symbol, try SymbolLimits(message, maxNotional: .zero))
    case .account(let message):
      self = .account(
        try AccountLimits(message),
        maxNotional: try Decimal(required: message.maxNotional, field: "maxNotional"))
    case .killSwitch(let message): self = .killSwitch(try KillSwitchChange(message))
    case .tradingState(let message): self = .trading(try TradingStateChange(message))
    case .dailyLossReset(let message):
      self = .lossReset(
        DailyLossReset(
          reason: message.reason, actor: message.actor,
          time: try Instant(message.resetAt, field: "resetAt") ?? Instant(nanoseconds: 0)))
    case nil: throw RPCError(.dataLoss, "it is empty, or of a later version")
    }
  }
}
