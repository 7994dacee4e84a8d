internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import Mutants
internal import Risk
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Units

/// The limits, the trading state and the kill switch in force.
///
/// A change is decided, appended to the journal, and only when it is on disk folded, told and
/// answered. One thing goes the other way round, for waiting could cost more than forgetting: the kill
/// switch is engaged and told at once, and then made durable, however long that takes.
actor LimitBook {
  let config: Config
  let context: ServiceContext
  let log: any ChangeLog
  let mark: KillMark
  private let listings: any Listings
  var register: RiskRegister
  /// Engagements that are in force and not on disk yet, oldest first.
  var unsaved: [KillSwitchChange] = []
  /// Why the journal took nothing at the last attempt; nil when it did.
  var journalProblem: String?
  var isSaving = false
  /// Numbers are given when a change is asked for, and are never given twice.
  var lastNumber: UInt64
  private let journalHolds: ReadinessBoard.Requirement
  private let limitsKnown: ReadinessBoard.Requirement
  private var isChanging = false
  private var queue: [CheckedContinuation<Void, Never>] = []
  /// Grows with everything that somebody may wait for, also what leaves the register as it is.
  nonisolated let changes: Watched<Void>

  init(
    _ register: RiskRegister, _ log: any ChangeLog, _ listings: any Listings, _ config: Config,
    _ context: ServiceContext
  ) {
    self.register = register
    self.log = log
    self.listings = listings
    self.config = config
    self.context = context
    mark = KillMark(context.state)
    changes = Watched((), subscribersMax: config.readersMax)
    lastNumber = register.killSwitch.number
    journalHolds = context.readiness.require("journal")
    journalHolds.hold()
    limitsKnown = context.readiness.require(
      "limits", reason: "the journal has none yet, and PostgreSQL has not said what it knows")
    if register.limits != nil { limitsKnown.hold() }
  }

  var version: UInt64 { register.version }
  var hasLimits: Bool { register.limits != nil }

  /// What holds now.
  func message() throws(RPCError) -> RiskV1.Limits {
    guard hasLimits else { throw Self.unknown }
    return RiskV1.Limits(register)
  }

  /// What readers are told; nil while there is nothing to tell.
  var told: RiskV1.Limits? {
    hasLimits || register.killSwitch.isEngaged ? RiskV1.Limits(register) : nil
  }

  static let unknown = RPCError(
    .unavailable,
    "the limits are not known yet: the journal has none, and PostgreSQL has not said what it knows",
    details: [.retryInfo(delay: .seconds(1))])

  /// Limits that an earlier version kept in PostgreSQL, or those of the settings where it has none.
  func takeOver(
    _ limits: RiskLimits, _ killSwitch: KillSwitchChange?, version: UInt64
  ) async throws {
    try await exclusively {
      guard !hasLimits else { return }
      try await commit(.takenOver(limits, killSwitch, version: version), by: "risk-manager")
      lastNumber = max(lastNumber, register.killSwitch.number)
      limitsKnown.hold()
    }
  }

  // MARK: Changes, one after another

  func setSymbol(
    _ request: RiskV1.SetSymbolLimitsRequest, by actor: String
  ) async throws -> RiskV1.SymbolLimits {
    guard !request.symbol.isEmpty, request.symbol.count <= 32 else {
      throw RPCError.invalid("symbol", "must have 1 to 32 characters")
    }
    try await listings.require(request.symbol)
    let band = try value(request.priceBand, "priceBand")
    return try await exclusively {
      let event = try decided {
        try register.decide(symbol: request.symbol) { next in
          next.lot = try value(request.lot, "lot") ?? next.lot
          next.maxOrderSize = try value(request.maxOrderSize, "maxOrderSize") ?? next.maxOrderSize
          next.maxLongPosition = try value(request.maxLong, "maxLong") ?? next.maxLongPosition
          next.maxShortPosition = try value(request.maxShort, "maxShort") ?? next.maxShortPosition
          if let band { next.priceBand = band.isZero ? nil : band }
        }
      }
      try await commit(event, by: actor)
      guard let limits = register.limits else { throw Self.unknown }
      return RiskV1.SymbolLimits(request.symbol, limits.limits(of: request.symbol))
    }
  }

  func setAccount(
    _ request: RiskV1.SetAccountLimitsRequest, by actor: String
  ) async throws -> RiskV1.AccountLimits {
    try await exclusively {
      let event = try decided {
        try register.decideAccount { account, maxNotional in
          if request.ordersPerSecond > 0 { account.ordersPerSecond = Int(request.ordersPerSecond) }
          if request.ordersPerMinute > 0 { account.ordersPerMinute = Int(request.ordersPerMinute) }
          account.maxDailyLoss =
            try value(request.maxDailyLoss, "maxDailyLoss") ?? account.maxDailyLoss
          maxNotional = try value(request.maxNotional, "maxNotional") ?? maxNotional
          if let gross = try value(request.maxGrossExposure, "maxGrossExposure") {
            account.maxGrossExposure = gross.isZero ? nil : gross
          }
        }
      }
      try await commit(event, by: actor)
      guard let limits = register.limits else { throw Self.unknown }
      return RiskV1.AccountLimits(limits.account, maxNotional: limits.standard.maxNotional)
    }
  }

  func setTrading(
    _ state: TradingState, reason: String, by actor: String
  ) async throws -> RiskV1.TradingStatus {
    try await exclusively {
      let change = TradingStateChange(
        state: state, reason: reason, actor: actor, time: context.time.now)
      try await commit(.trading(change), by: actor)
      return RiskV1.TradingStatus(change)
    }
  }

  func resetLoss(reason: String, by actor: String) async throws -> RiskV1.DailyLossReset {
    try await exclusively {
      let reset = DailyLossReset(reason: reason, actor: actor, time: context.time.now)
      try await commit(.lossReset(reset), by: actor)
      return RiskV1.DailyLossReset(reset)
    }
  }

  private func decided(_ decide: () throws -> RiskEvent?) throws -> RiskEvent {
    do {
      guard let event = try decide() else { throw Self.unknown }
      return event
    } catch let fault as RiskLimitFault {
      throw RPCError(.invalidArgument, fault.problem)
    }
  }

  private func value(_ wire: TypeV1.Decimal?, _ field: String) throws(RPCError) -> Units.Decimal? {
    guard let decimal = try Units.Decimal(wire, field: field) else { return nil }
    guard !decimal.isNegative else {
      throw .invalid(field, "must not be negative, as \(decimal) is")
    }
    return decimal
  }

  /// On disk, then in force, then told.
  func commit(_ event: RiskEvent, by actor: String) async throws {
    try await append(event, by: actor)
    register.apply(event)
    wakeAll()
  }

  func append(_ event: RiskEvent, by actor: String) async throws(RPCError) {
    do throws(RPCError) {
      try refold()
      if Mutant.isOn(.limitsUnsaved) { return }
      try await log.append(event.record(by: actor, at: context.time.now))
    } catch {
      journalProblem = error.message
      journalHolds.fail(error.message)
      throw error
    }
    journalProblem = nil
    journalHolds.hold()
  }

  /// After a failure it is open whether its record is on disk: what the disk has counts from here on,
  /// and what is in force without it.
  private func refold() throws(RPCError) {
    guard var durable = try log.reopened() else { return }
    context.log.warning("the journal was opened again")
    let known = Set(durable.killSwitch.history.map(\.number))
    unsaved.removeAll { known.contains($0.number) }
    for change in unsaved { durable.apply(.killSwitch(change)) }
    durable.outgrow(register)
    lastNumber = max(lastNumber, durable.killSwitch.number)
    register = durable
    wakeAll()
  }

  /// Changes wait for each other: each is computed from the limits that the one before it stored.
  func exclusively<Result>(_ change: () async throws -> Result) async throws -> Result {
    if isChanging { await withCheckedContinuation { queue.append($0) } }
    isChanging = true
    defer {
      if queue.isEmpty { isChanging = false } else { queue.removeFirst().resume() }
    }
    return try await change()
  }

  // MARK: Readers

  /// Waits until the version is past `known`, or for `limit`.
  func change(after known: UInt64, within limit: Duration) async {
    await wait(within: limit) { register.version > known }
  }

  /// Waits until `isOver`, looking after each change, or for `limit`.
  func wait(within limit: Duration, until isOver: () -> Bool) async {
    let deadline = context.loop.uptime + limit
    while !isOver(), !Task.isCancelled {
      let left = deadline - context.loop.uptime
      guard left > .zero else { return }
      await changes.change(after: changes.current.version, within: left, context.loop)
    }
  }

  func wakeAll() { changes.set(()) }
}
