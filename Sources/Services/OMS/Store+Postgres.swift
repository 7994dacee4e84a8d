internal import Calls
internal import Chrono
internal import Contracts
internal import Orders
internal import Postgres
internal import Translation
internal import Units
internal import Wire

/// Schema `oms`. Money is NUMERIC in columns of its own; the whole message is kept beside it, so that
/// what is read back is what was written, to the last field.
struct PostgresOrderStore: OrderStore {
  static let schema = "oms"
  private let database: Database

  init(_ database: Database) { self.database = database }

  func prepare() async throws { try await database.migrate(schema: Self.schema, Self.migrations) }

  private static let migrations = [
    Migration(
      1, "orders, executions, events",
      """
      CREATE TABLE progress (only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),
        sequence int8 NOT NULL);
      INSERT INTO progress (sequence) VALUES (0);
      CREATE TABLE orders (
        order_id text PRIMARY KEY, client_order_id text NOT NULL, account text NOT NULL,
        strategy_id text NOT NULL, venue text NOT NULL, symbol text NOT NULL, side text NOT NULL,
        type text NOT NULL, time_in_force text NOT NULL, price numeric, quantity numeric NOT NULL,
        status text NOT NULL, filled_quantity numeric NOT NULL, filled_notional numeric,
        average_price numeric, reject_reason text, reject_text text,
        created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, version int8 NOT NULL,
        created_by text NOT NULL, message bytea NOT NULL,
        UNIQUE (account, client_order_id));
      CREATE INDEX orders_symbol ON orders (symbol, order_id DESC);
      CREATE TABLE executions (
        sequence int8 PRIMARY KEY, venue text NOT NULL, symbol text NOT NULL,
        execution_id text NOT NULL, order_id text NOT NULL, client_order_id text NOT NULL,
        account text NOT NULL, strategy_id text NOT NULL, side text NOT NULL,
        price numeric NOT NULL, quantity numeric NOT NULL, fee numeric NOT NULL,
        fee_asset text NOT NULL, maker bool NOT NULL, exchange_time timestamptz NOT NULL,
        message bytea NOT NULL,
        UNIQUE (venue, symbol, execution_id));
      CREATE INDEX executions_order ON executions (order_id);
      CREATE TABLE order_events (
        sequence int8 PRIMARY KEY, order_id text NOT NULL, kind text NOT NULL,
        time timestamptz NOT NULL, status text NOT NULL, message bytea NOT NULL);
      CREATE INDEX order_events_order ON order_events (order_id, sequence);
      """)
  ]

  func recorded() async throws -> UInt64 {
    let rows = try await database.query("SELECT sequence FROM oms.progress")
    guard let row = rows.first else { return 0 }
    let sequence: Int64 = try row.read("sequence")
    return UInt64(sequence)
  }

  func record(_ events: [OmsV1.OrderEvent], through sequence: UInt64) async throws {
    var statements: [Statement] = []
    var newest: [String: OmsV1.Order] = [:]
    for event in events {
      guard let order = event.order else { continue }
      newest[order.orderId] = order
      statements.append(Self.insert(event, order))
      if let execution = event.execution { statements.append(Self.insert(execution)) }
    }
    statements += newest.values.map(Self.upsert)
    statements.append(
      Statement(
        "UPDATE oms.progress SET sequence = $1 WHERE sequence < $1", [.integer(Int64(sequence))]))
    _ = try await database.pipeline(statements)
  }

  private static func insert(_ event: OmsV1.OrderEvent, _ order: OmsV1.Order) -> Statement {
    Statement(
      """
      INSERT INTO oms.order_events (sequence, order_id, kind, time, status, message)
      VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
      """,
      [
        .integer(Int64(event.sequence)), .text(order.orderId), .text(event.kind.name),
        instant(event.time), .text(order.status.name), .bytes(event.encoded()),
      ])
  }

  private static func insert(_ execution: OmsV1.Execution) -> Statement {
    Statement(
      """
      INSERT INTO oms.executions (sequence, venue, symbol, execution_id, order_id, client_order_id,
        account, strategy_id, side, price, quantity, fee, fee_asset, maker, exchange_time, message)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
      ON CONFLICT DO NOTHING
      """,
      [
        .integer(Int64(execution.sequence)), .text(execution.venue), .text(execution.symbol),
        .text(execution.executionId), .text(execution.orderId), .text(execution.clientOrderId),
        .text(execution.account), .text(execution.strategyId), .text(execution.side.name),
        numeric(execution.price), numeric(execution.quantity),
        execution.fee == nil ? .numeric("0") : numeric(execution.fee), .text(execution.feeAsset),
        .boolean(execution.maker), instant(execution.exchangeTime), .bytes(execution.encoded()),
      ])
  }

  private static func upsert(_ order: OmsV1.Order) -> Statement {
    Statement(
      """
      INSERT INTO oms.orders (order_id, client_order_id, account, strategy_id, venue, symbol, side,
        type, time_in_force, price, quantity, status, filled_quantity, filled_notional,
        average_price, reject_reason, reject_text, created_at, updated_at, version, created_by, message)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
        $20, $21, $22)
      ON CONFLICT (order_id) DO UPDATE SET price = EXCLUDED.price, quantity = EXCLUDED.quantity,
        status = EXCLUDED.status, filled_quantity = EXCLUDED.filled_quantity,
        filled_notional = EXCLUDED.filled_notional, average_price = EXCLUDED.average_price,
        reject_reason = EXCLUDED.reject_reason, reject_text = EXCLUDED.reject_text,
        updated_at = EXCLUDED.updated_at, version = EXCLUDED.version, message = EXCLUDED.message
      WHERE oms.orders.version < EXCLUDED.version
      """,
      [
        .text(order.orderId), .text(order.clientOrderId), .text(order.account),
        .text(order.strategyId), .text(order.venue), .text(order.symbol), .text(order.side.name),
        .text(order.type.name), .text(order.timeInForce.name), numeric(order.price),
        numeric(order.quantity), .text(order.status.name), numeric(order.filledQuantity),
        numeric(order.filledNotional), numeric(order.averagePrice),
        order.rejectReason.rawValue == 0 ? .null : .text(order.rejectReason.name),
        order.rejectText.isEmpty ? .null : .text(order.rejectText), instant(order.createdAt),
        instant(order.updatedAt), .integer(Int64(order.version)), .text(order.createdBy),
        .bytes(order.encoded()),
      ])
  }

  private static func numeric(_ wire: TypeV1.Decimal?) -> SQLValue {
    guard let wire, wire.scale <= 18 else { return .null }
    return .decimal(Units.Decimal(units: wire.units, scale: UInt8(wire.scale)))
  }

  private static func instant(_ wire: GoogleProtobuf.Timestamp?) -> SQLValue {
    guard let wire else { return .null }
    return .instant(Instant(nanoseconds: wire.seconds * 1_000_000_000 + Int64(wire.nanos)))
  }

  // MARK: Reading

  func order(_ id: OrderID) async throws -> OmsV1.Order? {
    let rows = try await database.query(
      "SELECT message FROM oms.orders WHERE order_id = $1", [.text(id.description)])
    return try rows.first.map { try Self.message($0) }
  }

  func orders(_ query: OrderQuery) async throws -> [OmsV1.Order] {
    let rows = try await database.query(
      """
      SELECT message FROM oms.orders
      WHERE ($1 = '' OR symbol = $1) AND ($2 = '' OR client_order_id = $2)
        AND ($3 = '' OR order_id < $3)
      ORDER BY order_id DESC LIMIT $4
      """,
      [
        .text(query.symbol), .text(query.clientOrderID), .text(query.before?.description ?? ""),
        .integer(Int64(query.limit)),
      ])
    return try rows.map { try Self.message($0) }
  }

  func events(_ id: OrderID) async throws -> [OmsV1.OrderEvent] {
    let rows = try await database.query(
      "SELECT message FROM oms.order_events WHERE order_id = $1 ORDER BY sequence",
      [.text(id.description)])
    return try rows.map { try Self.message($0) }
  }

  func executions(_ query: ExecutionQuery) async throws -> [OmsV1.Execution] {
    let rows = try await database.query(
      """
      SELECT message FROM oms.executions
      WHERE ($1 = '' OR symbol = $1) AND ($2 = '' OR order_id = $2) AND sequence < $3
      ORDER BY sequence DESC LIMIT $4
      """,
      [
        .text(query.symbol), .text(query.orderID),
        .integer(query.before.map { Int64($0) } ?? .max), .integer(Int64(query.limit)),
      ])
    return try rows.map { try Self.message($0) }
  }

  private static func message<M: Message>(_ row: Row) throws -> M {
    let bytes: [UInt8] = try row.read("message")
    return try M(decoding: bytes)
  }
}
