internal import Calls
internal import Chrono
internal import Contracts
internal import Risk
internal import Units

/// The limits and the kill switch in force; changes are stored before anybody hears of them.
actor LimitBook {
  private let store: any LimitStore
  private let config: Config
  private var limits: RiskLimits
  private var killSwitch = RiskV1.KillSwitch()
  private(set) var version: UInt64 = 0
  private var isLoaded = false
  private var isChanging = false
  private var queue: [CheckedContinuation<Void, Never>] = []
  private var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
  private var lastWaiter = 0
  private var readers = 0

  init(_ store: any LimitStore, _ config: Config) {
    self.store = store
    self.config = config
    self.limits = config.limits
  }

  func load() async throws {
    try await store.prepare()
    let stored = try await store.load(standard: config.limits)
    limits = stored.limits
    killSwitch = stored.killSwitch
    version = max(version + 1, stored.version)
    isLoaded = true
    wakeAll()
  }

  func message() throws(RPCError) -> RiskV1.Limits {
    guard isLoaded else { throw RPCError(.unavailable, "the limits have not been read yet") }
    var message = RiskV1.Limits()
    message.version = version
    message.account = RiskV1.AccountLimits(limits)
    message.defaultSymbol = RiskV1.SymbolLimits("", limits.standard)
    message.symbols = limits.symbols.sorted { $0.key < $1.key }.map {
      RiskV1.SymbolLimits($0.key, $0.value)
    }
    message.killSwitch = killSwitch
    return message
  }

  // MARK: Changes, one after another

  func setSymbol(_ request: RiskV1.SetSymbolLimitsRequest) async throws -> RiskV1.SymbolLimits {
    try await exclusively {
      guard !request.symbol.isEmpty, request.symbol.count <= 32 else {
        throw RPCError.invalid("symbol", "must have 1 to 32 characters")
      }
      var next = limits.limits(of: request.symbol)
      next.lot = try value(request.lot, "lot") ?? next.lot
      next.maxOrderSize = try value(request.maxOrderSize, "maxOrderSize") ?? next.maxOrderSize
      next.maxLongPosition = try value(request.maxLong, "maxLong") ?? next.maxLongPosition
      next.maxShortPosition = try value(request.maxShort, "maxShort") ?? next.maxShortPosition
      var changed = limits
      changed.symbols[request.symbol] = next
      try await keep(changed)
      return RiskV1.SymbolLimits(request.symbol, next)
    }
  }

  func setAccount(_ request: RiskV1.SetAccountLimitsRequest) async throws -> RiskV1.AccountLimits {
    try await exclusively {
      var changed = limits
      if request.ordersPerSecond > 0 {
        changed.account.ordersPerSecond = Int(request.ordersPerSecond)
      }
      if request.ordersPerMinute > 0 {
        changed.account.ordersPerMinute = Int(request.ordersPerMinute)
      }
      if let loss = try value(request.maxDailyLoss, "maxDailyLoss") {
        changed.account.maxDailyLoss = loss
      }
      if let notional = try value(request.maxNotional, "maxNotional") {
        changed.standard.maxNotional = notional
        for symbol in changed.symbols.keys { changed.symbols[symbol]?.maxNotional = notional }
      }
      try await keep(changed)
      return RiskV1.AccountLimits(changed)
    }
  }

  func setKillSwitch(
    engaged: Bool, reason: String, actor: String, now: Instant
  ) async throws -> RiskV1.KillSwitch {
    try await exclusively {
      guard reason.utf8.count <= 1_024 else {
        throw RPCError.invalid("reason", "is longer than 1024 bytes")
      }
      var next = RiskV1.KillSwitch()
      next.engaged = engaged
      next.reason = reason
      next.actor = actor
      next.changedAt = .init(now)
      try await store.save(killSwitch: next, version: version + 1)
      killSwitch = next
      advance()
      return next
    }
  }

  private func keep(_ changed: RiskLimits) async throws {
    do throws(RiskLimitFault) {
      try changed.validate()
    } catch {
      throw RPCError(.invalidArgument, error.problem)
    }
    try await store.save(changed, version: version + 1)
    limits = changed
    advance()
  }

  private func value(_ wire: TypeV1.Decimal?, _ field: String) throws(RPCError) -> Units.Decimal? {
    guard let decimal = try Units.Decimal(wire, field: field) else { return nil }
    guard !decimal.isNegative else {
      throw .invalid(field, "must not be negative, as \(decimal) is")
    }
    return decimal
  }

  /// Changes wait for each other: each is computed from the limits that the one before it stored.
  private func exclusively<Result>(_ change: () async throws -> Result) async throws -> Result {
    guard isLoaded else { throw RPCError(.unavailable, "the limits have not been read yet") }
    if isChanging { await withCheckedContinuation { queue.append($0) } }
    isChanging = true
    defer {
      if queue.isEmpty { isChanging = false } else { queue.removeFirst().resume() }
    }
    return try await change()
  }

  private func advance() {
    version += 1
    wakeAll()
  }

  // MARK: Readers

  func subscribe() throws(RPCError) {
    guard readers < config.readersMax else {
      throw RPCError(.resourceExhausted, "\(config.readersMax) streams are open (readers_max)")
    }
    readers += 1
  }

  func unsubscribe() { readers -= 1 }

  /// Waits until the version is past `known`, or `wake` is called for this reader.
  func change(after known: UInt64, _ register: (Int) -> Void) async {
    if version > known || Task.isCancelled { return }
    lastWaiter += 1
    let id = lastWaiter
    register(id)
    await withCheckedContinuation { waiters[id] = $0 }
  }

  func wake(_ id: Int) { waiters.removeValue(forKey: id)?.resume() }

  private func wakeAll() {
    let waiting = waiters
    waiters.removeAll()
    for waiter in waiting.values { waiter.resume() }
  }
}

extension RiskV1.AccountLimits {
  init(_ limits: RiskLimits) {
    self.init()
    ordersPerSecond = UInt32(clamping: limits.account.ordersPerSecond)
    ordersPerMinute = UInt32(clamping: limits.account.ordersPerMinute)
    maxNotional = TypeV1.Decimal(limits.standard.maxNotional)
    maxDailyLoss = TypeV1.Decimal(limits.account.maxDailyLoss)
  }
}

extension RiskV1.SymbolLimits {
  init(_ symbol: String, _ limits: SymbolLimits) {
    self.init()
    self.symbol = symbol
    lot = TypeV1.Decimal(limits.lot)
    maxOrderSize = TypeV1.Decimal(limits.maxOrderSize)
    maxLong = TypeV1.Decimal(limits.maxLongPosition)
    maxShort = TypeV1.Decimal(limits.maxShortPosition)
  }
}
