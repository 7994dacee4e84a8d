internal import Chrono
internal import Postgres
internal import Risk
internal import Units

/// Schema `risk`. The symbol `*` holds what symbols without limits of their own get.
struct PostgresLimitStore: LimitStore {
  private let database: Database

  init(_ database: Database) { self.database = database }

  static let migrations = [
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
      """),
    Migration(
      2, "bands, gross exposure, trading state, changes of the kill switch",
      """
      ALTER TABLE account_limits ADD COLUMN max_gross_exposure numeric,
        ADD COLUMN trading_state text NOT NULL DEFAULT 'ACTIVE',
        ADD COLUMN trading_reason text NOT NULL DEFAULT '',
        ADD COLUMN trading_actor text NOT NULL DEFAULT '';
      ALTER TABLE symbol_limits ADD COLUMN price_band numeric;
      CREATE TABLE kill_switch_changes (change int8 NOT NULL, changed_at timestamptz NOT NULL,
        engaged bool NOT NULL, reason text NOT NULL, actor text NOT NULL,
        PRIMARY KEY (change, changed_at));
      """),
  ]

  func prepare() async throws { try await database.migrate(schema: "risk", Self.migrations) }

  func probe() async throws { _ = try await database.query("SELECT 1") }

  func load(
    standard: RiskLimits
  ) async throws -> (limits: RiskLimits, killSwitch: KillSwitchChange?, version: UInt64)? {
    let accounts = try await database.query(
      """
      SELECT version, orders_per_second, orders_per_minute, max_daily_loss::text AS max_daily_loss
      FROM risk.account_limits
      """)
    guard let account = accounts.first else { return nil }
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
    return (limits, try await killSwitch(version: UInt64(version)), UInt64(version))
  }

  private func killSwitch(version: UInt64) async throws -> KillSwitchChange? {
    guard let row = try await database.query("SELECT * FROM risk.kill_switch").first else {
      return nil
    }
    let change = KillSwitchChange(
      number: max(1, version), isEngaged: try row.read("engaged"), reason: try row.read("reason"),
      actor: try row.read("actor"), time: try row.read("changed_at"))
    // Never touched: the row that the table was made with.
    return change.isEngaged || !change.actor.isEmpty ? change : nil
  }

  func record(_ register: RiskRegister) async throws {
    var statements: [Statement] = []
    if let limits = register.limits {
      statements.append(Self.account(limits, register))
      statements.append(Statement("DELETE FROM risk.symbol_limits", []))
      statements.append(Self.insert("*", limits.standard))
      for (symbol, symbolLimits) in limits.symbols {
        statements.append(Self.insert(symbol, symbolLimits))
      }
    }
    let state = register.killSwitch
    statements.append(
      Statement(
        "UPDATE risk.kill_switch SET engaged = $1, reason = $2, actor = $3, changed_at = $4",
        [
          .boolean(state.isEngaged), .text(state.reason), .text(state.actor), .instant(state.time),
        ]))
    for change in state.history {
      statements.append(
        Statement(
          """
          INSERT INTO risk.kill_switch_changes (change, changed_at, engaged, reason, actor)
          VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
          """,
          [
            .integer(Int64(clamping: change.number)), .instant(change.time),
            .boolean(change.isEngaged), .text(change.reason), .text(change.actor),
          ]))
    }
    _ = try await database.pipeline(statements)
  }

  private static func account(_ limits: RiskLimits, _ register: RiskRegister) -> Statement {
    let state =
      switch register.trading.state {
      case .active: "ACTIVE"
      case .reducing: "REDUCING"
      case .halted: "HALTED"
      }
    return Statement(
      """
      INSERT INTO risk.account_limits (version, currency, orders_per_second, orders_per_minute,
        max_daily_loss, max_gross_exposure, trading_state, trading_reason, trading_actor)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
      ON CONFLICT (only_row) DO UPDATE SET version = EXCLUDED.version,
        orders_per_second = EXCLUDED.orders_per_second,
        orders_per_minute = EXCLUDED.orders_per_minute, max_daily_loss = EXCLUDED.max_daily_loss,
        max_gross_exposure = EXCLUDED.max_gross_exposure, trading_state = EXCLUDED.trading_state,
        trading_reason = EXCLUDED.trading_reason, trading_actor = EXCLUDED.trading_actor
      """,
      [
        .integer(Int64(clamping: register.version)), .text(limits.currency),
        .integer(Int64(limits.account.ordersPerSecond)),
        .integer(Int64(limits.account.ordersPerMinute)), .decimal(limits.account.maxDailyLoss),
        limits.account.maxGrossExposure.map { .decimal($0) } ?? .null, .text(state),
        .text(register.trading.reason), .text(register.trading.actor),
      ])
  }

  private static func insert(_ symbol: String, _ limits: SymbolLimits) -> Statement {
    Statement(
      """
      INSERT INTO risk.symbol_limits (symbol, lot, max_order_size, max_long, max_short,
        max_notional, price_band) VALUES ($1, $2, $3, $4, $5, $6, $7)
      """,
      [
        .text(symbol), .decimal(limits.lot), .decimal(limits.maxOrderSize),
        .decimal(limits.maxLongPosition), .decimal(limits.maxShortPosition),
        .decimal(limits.maxNotional), limits.priceBand.map { .decimal($0) } ?? .null,
      ])
  }
}
