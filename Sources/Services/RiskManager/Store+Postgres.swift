internal import Chrono
internal import Contracts
internal import Postgres
internal import Risk
internal import Units

/// Schema `risk`. The symbol `*` holds what symbols without limits of their own get.
struct PostgresLimitStore: LimitStore {
  private let database: Database

  init(_ database: Database) { self.database = database }

  private static let migrations = [
    Migration(
      1, "limits and kill switch",
      """
      CREATE TABLE account_limits (only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),
        version int8 NOT NULL, currency text NOT NULL, orders_per_second int8 NOT NULL,
        orders_per_minute int8 NOT NULL, max_daily_loss numeric NOT NULL);
      CREATE TABLE symbol_limits (symbol text PRIMARY KEY, lot numeric NOT NULL,
        max_order_size numeric NOT NULL, max_long numeric NOT NULL, max_short numeric NOT NULL,
        max_notional numeric NOT NULL);
      CREATE TABLE kill_switch (only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),
        engaged bool NOT NULL, reason text NOT NULL, actor text NOT NULL,
        changed_at timestamptz NOT NULL);
      INSERT INTO kill_switch (engaged, reason, actor, changed_at) VALUES (false, '', '', now());
      """)
  ]

  func prepare() async throws { try await database.migrate(schema: "risk", Self.migrations) }

  func load(
    standard: RiskLimits
  ) async throws -> (limits: RiskLimits, killSwitch: RiskV1.KillSwitch, version: UInt64) {
    let accounts = try await database.query(
      """
      SELECT version, orders_per_second, orders_per_minute, max_daily_loss::text AS max_daily_loss
      FROM risk.account_limits
      """)
    guard let account = accounts.first else {
      try await save(standard, version: 1)
      return (standard, try await killSwitch(), 1)
    }
    var limits = standard
    limits.account.ordersPerSecond = try account.read("orders_per_second")
    limits.account.ordersPerMinute = try account.read("orders_per_minute")
    limits.account.maxDailyLoss = try account.read("max_daily_loss")
    for row in try await database.query("SELECT * FROM risk.symbol_limits") {
      let symbol: String = try row.read("symbol")
      let found = SymbolLimits(
        lot: try row.read("lot"), maxOrderSize: try row.read("max_order_size"),
        maxLongPosition: try row.read("max_long"), maxShortPosition: try row.read("max_short"),
        maxNotional: try row.read("max_notional"), priceBand: nil)
      if symbol == "*" { limits.standard = found } else { limits.symbols[symbol] = found }
    }
    let version: Int64 = try account.read("version")
    return (limits, try await killSwitch(), UInt64(version))
  }

  private func killSwitch() async throws -> RiskV1.KillSwitch {
    var killSwitch = RiskV1.KillSwitch()
    guard let row = try await database.query("SELECT * FROM risk.kill_switch").first else {
      return killSwitch
    }
    killSwitch.engaged = try row.read("engaged")
    killSwitch.reason = try row.read("reason")
    killSwitch.actor = try row.read("actor")
    let changed: Instant = try row.read("changed_at")
    killSwitch.changedAt = .init(changed)
    return killSwitch
  }

  func save(_ limits: RiskLimits, version: UInt64) async throws {
    var statements = [
      Statement(
        """
        INSERT INTO risk.account_limits (version, currency, orders_per_second, orders_per_minute,
          max_daily_loss) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (only_row) DO UPDATE SET version = EXCLUDED.version,
          orders_per_second = EXCLUDED.orders_per_second,
          orders_per_minute = EXCLUDED.orders_per_minute, max_daily_loss = EXCLUDED.max_daily_loss
        """,
        [
          .integer(Int64(version)), .text(limits.currency),
          .integer(Int64(limits.account.ordersPerSecond)),
          .integer(Int64(limits.account.ordersPerMinute)), .decimal(limits.account.maxDailyLoss),
        ])
    ]
    statements.append(Self.upsert("*", limits.standard))
    for (symbol, symbolLimits) in limits.symbols {
      statements.append(Self.upsert(symbol, symbolLimits))
    }
    _ = try await database.pipeline(statements)
  }

  private static func upsert(_ symbol: String, _ limits: SymbolLimits) -> Statement {
    Statement(
      """
      INSERT INTO risk.symbol_limits (symbol, lot, max_order_size, max_long, max_short, max_notional)
      VALUES ($1, $2, $3, $4, $5, $6)
      ON CONFLICT (symbol) DO UPDATE SET lot = EXCLUDED.lot,
        max_order_size = EXCLUDED.max_order_size, max_long = EXCLUDED.max_long,
        max_short = EXCLUDED.max_short, max_notional = EXCLUDED.max_notional
      """,
      [
        .text(symbol), .decimal(limits.lot), .decimal(limits.maxOrderSize),
        .decimal(limits.maxLongPosition), .decimal(limits.maxShortPosition),
        .decimal(limits.maxNotional),
      ])
  }

  func save(killSwitch: RiskV1.KillSwitch, version: UInt64) async throws {
    let changed = killSwitch.changedAt ?? .init()
    _ = try await database.pipeline([
      Statement(
        "UPDATE risk.kill_switch SET engaged = $1, reason = $2, actor = $3, changed_at = $4",
        [
          .boolean(killSwitch.engaged), .text(killSwitch.reason), .text(killSwitch.actor),
          .instant(
            Instant(nanoseconds: changed.seconds * 1_000_000_000 + Int64(changed.nanos))),
        ]),
      Statement("UPDATE risk.account_limits SET version = $1", [.integer(Int64(version))]),
    ])
  }
}
