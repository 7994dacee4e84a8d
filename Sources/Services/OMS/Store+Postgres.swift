internal import Calls
internal import Chrono
internal import Contracts
internal import Orders
internal import Postgres
internal import ServiceKit
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

  func progress() async throws -> RecordProgress {
    let rows = try await database.query(
      "SELECT generation, sequence, mark, again_until FROM oms.progress")
    guard let row = rows.first else {
      throw RPCError(.dataLoss, "oms.progress has no row: how far the journal is recorded is lost")
    }
    return try Self.progress(row)
  }

  func beginAgain(_ reason: String, until sequence: UInt64) async throws -> RecordProgress {
    let rows = try await database.query(
      """
      WITH begun AS (
        UPDATE oms.progress SET generation = generation + 1, sequence = 0, mark = 0, again_until = $2
        RETURNING generation, sequence, mark, again_until),
      noted AS (INSERT INTO oms.generations (generation, reason) SELECT generation, $1 FROM begun)
      SELECT * FROM begun
      """, [.text(reason), .integer(Int64(sequence))])
    guard let row = rows.first else { return try await progress() }
    return try Self.progress(row)
  }

  private static func progress(_ row: Row) throws -> RecordProgress {
    let (generation, sequence): (Int64, Int64) = (
      try row.read("generation"), try row.read("sequence")
    )
    let (mark, until): (Int64, Int64) = (try row.read("mark"), try row.read("again_until"))
    return RecordProgress(
      generation: generation,
      position: LogPosition(sequence: UInt64(max(0, sequence)), mark: UInt64(bitPattern: mark)),
      againUntil: UInt64(max(0, until)))
  }

  func record(
    _ events: [OmsV1.OrderEvent], through progress: RecordProgress
  ) async throws -> [RefusedItem<OmsV1.OrderEvent>] {
    let done = Statement(
      "UPDATE oms.progress SET sequence = $1, mark = $2 WHERE generation = $3 AND sequence < $1",
      [
        .integer(Int64(progress.position.sequence)),
        .integer(Int64(bitPattern: progress.position.mark)), .integer(progress.generation),
      ])
    let last = progress.endsAgain ? [done] + Self.puttingAway(before: progress.generation) : [done]
    return try await database.write(
      events, as: { Self.statements($0, progress) }, finally: last
    ) { refused in
      let event = refused.item
      return Statement(
        """
        INSERT INTO oms.set_aside (generation, sequence, kind, order_id, message, error)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (generation, sequence) DO UPDATE SET error = EXCLUDED.error
        """,
        [
          .integer(progress.generation), .integer(Int64(event.sequence)), .text(event.kind.name),
          Self.text(event.order?.orderId ?? ""), .bytes(event.encoded()),
          Self.text(refused.error.description),
        ])
    }
  }

  func setAsideCount() async throws -> Int {
    let rows = try await database.query(
      "SELECT count(*) AS count FROM oms.set_aside JOIN oms.progress USING (generation)")
    return try rows.first?.read("count") ?? 0
  }

  // MARK: Statements

  /// What is left of earlier generations is of a history that the journal does not have.
  private static func puttingAway(before generation: Int64) -> [Statement] {
    let generation = SQLValue.integer(generation)
    let moves = [
      ("orders", "former_orders"), ("executions", "former_executions"),
      ("order_events", "former_events"),
    ].map { current, former in
      Statement(
        """
        WITH moved AS (DELETE FROM oms.\(current) WHERE generation < $1 RETURNING *)
        INSERT INTO oms.\(former) SELECT * FROM moved
        """, [generation])
    }
    return moves + [
      Statement("UPDATE oms.progress SET again_until = 0 WHERE generation = $1", [generation])
    ]
  }

  private static func statements(
    _ events: [OmsV1.OrderEvent], _ progress: RecordProgress
  ) -> [Statement] {
    var statements: [Statement] = []
    var newest: [String: OmsV1.Order] = [:]
    for event in events {
      guard let order = event.order else { continue }
      newest[order.orderId] = order
    }
    // In one order everywhere, so that two writers never wait for each other.
    let orders = newest.sorted { $0.key < $1.key }.map(\.value)
    if progress.isAgain {
      // Their stories are told anew: what an earlier generation had of them goes.
      statements.append(
        Statement(
          "DELETE FROM oms.order_events WHERE generation < $1 AND order_id = ANY($2)",
          [.integer(progress.generation), .texts(orders.map(\.orderId))]))
    }
    let told = events.contains { $0.order == nil } ? events.filter { $0.order != nil } : events
    let executions = firstOfEach(told.compactMap(\.execution))
    if !told.isEmpty { statements.append(insert(told, progress.generation)) }
    if !executions.isEmpty { statements.append(upsert(executions, progress.generation)) }
    if !orders.isEmpty { statements.append(upsert(orders, progress.generation)) }
    return statements
  }

  /// One statement may write a row once.
  private static func firstOfEach(_ executions: [OmsV1.Execution]) -> [OmsV1.Execution] {
    var seen: Set<[String]> = []
    return executions.filter {
      seen.insert([$0.venue, $0.symbol, $0.executionId, $0.orderId]).inserted
    }
  }

  private static func insert(
    _ rows: [OmsV1.OrderEvent], _ generation: Int64
  ) -> Statement {
    Statement(
      """
      INSERT INTO oms.order_events (generation, sequence, order_id, kind, time, status, message)
      SELECT $1, * FROM unnest($2::int8[], $3::text[], $4::text[], $5::timestamptz[], $6::text[],
        $7::bytea[])
      ON CONFLICT (generation, sequence) DO NOTHING
      """,
      [
        .integer(generation), SQLColumn.integers(rows.count) { Int64(rows[$0].sequence) },
        SQLColumn.texts(rows.count) { plain(rows[$0].order?.orderId ?? "") },
        SQLColumn.texts(rows.count) { rows[$0].kind.name },
        SQLColumn.instants(rows.count) { instant(rows[$0].time) },
        SQLColumn.texts(rows.count) { rows[$0].order?.status.name },
        SQLColumn.bytes(rows.count) { rows[$0].encoded() },
      ])
  }

  private static func upsert(_ rows: [OmsV1.Execution], _ generation: Int64) -> Statement {
    Statement(
      """
      INSERT INTO oms.executions (generation, sequence, venue, symbol, execution_id, order_id,
        client_order_id, account, strategy_id, side, price, quantity, fee, fee_asset, maker,
        exchange_time, message)
      SELECT $1, * FROM unnest($2::int8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::text[], $11::text[]::numeric[], $12::text[]::numeric[],
        $13::text[]::numeric[], $14::text[], $15::bool[], $16::timestamptz[], $17::bytea[])
      ON CONFLICT (venue, symbol, execution_id, order_id) DO UPDATE SET
        sequence = EXCLUDED.sequence, client_order_id = EXCLUDED.client_order_id,
        account = EXCLUDED.account, strategy_id = EXCLUDED.strategy_id, side = EXCLUDED.side,
        price = EXCLUDED.price, quantity = EXCLUDED.quantity, fee = EXCLUDED.fee,
        fee_asset = EXCLUDED.fee_asset, maker = EXCLUDED.maker,
        exchange_time = EXCLUDED.exchange_time, message = EXCLUDED.message,
        generation = EXCLUDED.generation
      WHERE oms.executions.generation < EXCLUDED.generation
      """,
      [
        .integer(generation), SQLColumn.integers(rows.count) { Int64(rows[$0].sequence) },
        SQLColumn.texts(rows.count) { plain(rows[$0].venue) },
        SQLColumn.texts(rows.count) { plain(rows[$0].symbol) },
        SQLColumn.texts(rows.count) { plain(rows[$0].executionId) },
        SQLColumn.texts(rows.count) { plain(rows[$0].orderId) },
        SQLColumn.texts(rows.count) { plain(rows[$0].clientOrderId) },
        SQLColumn.texts(rows.count) { plain(rows[$0].account) },
        SQLColumn.texts(rows.count) { plain(rows[$0].strategyId) },
        SQLColumn.texts(rows.count) { rows[$0].side.name },
        SQLColumn.texts(rows.count) { numeric(rows[$0].price) },
        SQLColumn.texts(rows.count) { numeric(rows[$0].quantity) },
        SQLColumn.texts(rows.count) { rows[$0].fee == nil ? "0" : numeric(rows[$0].fee) },
        SQLColumn.texts(rows.count) { plain(rows[$0].feeAsset) },
        SQLColumn.booleans(rows.count) { rows[$0].maker },
        SQLColumn.instants(rows.count) { instant(rows[$0].exchangeTime) },
        SQLColumn.bytes(rows.count) { rows[$0].encoded() },
      ])
  }

  private static func upsert(_ rows: [OmsV1.Order], _ generation: Int64) -> Statement {
    Statement(
      """
      INSERT INTO oms.orders (generation, order_id, client_order_id, account, strategy_id, venue,
        symbol, side, type, time_in_force, price, quantity, status, filled_quantity,
        filled_notional, average_price, reject_reason, reject_text, created_at, updated_at, version,
        created_by, message)
      SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::text[], $11::text[]::numeric[], $12::text[]::numeric[],
        $13::text[], $14::text[]::numeric[], $15::text[]::numeric[], $16::text[]::numeric[],
        $17::text[], $18::text[], $19::timestamptz[], $20::timestamptz[], $21::int8[], $22::text[],
        $23::bytea[])
      ON CONFLICT (order_id) DO UPDATE SET client_order_id = EXCLUDED.client_order_id,
        account = EXCLUDED.account, strategy_id = EXCLUDED.strategy_id, venue = EXCLUDED.venue,
        symbol = EXCLUDED.symbol, side = EXCLUDED.side, type = EXCLUDED.type,
        time_in_force = EXCLUDED.time_in_force, created_at = EXCLUDED.created_at,
        created_by = EXCLUDED.created_by, price = EXCLUDED.price, quantity = EXCLUDED.quantity,
        status = EXCLUDED.status, filled_quantity = EXCLUDED.filled_quantity,
        filled_notional = EXCLUDED.filled_notional, average_price = EXCLUDED.average_price,
        reject_reason = EXCLUDED.reject_reason, reject_text = EXCLUDED.reject_text,
        updated_at = EXCLUDED.updated_at, version = EXCLUDED.version, message = EXCLUDED.message,
        generation = EXCLUDED.generation
      WHERE oms.orders.generation < EXCLUDED.generation OR oms.orders.version < EXCLUDED.version
      """, [.integer(generation)] + columns(rows))
  }

  private static func columns(_ rows: [OmsV1.Order]) -> [SQLValue] {
    [
      SQLColumn.texts(rows.count) { plain(rows[$0].orderId) },
      SQLColumn.texts(rows.count) { plain(rows[$0].clientOrderId) },
      SQLColumn.texts(rows.count) { plain(rows[$0].account) },
      SQLColumn.texts(rows.count) { plain(rows[$0].strategyId) },
      SQLColumn.texts(rows.count) { plain(rows[$0].venue) },
      SQLColumn.texts(rows.count) { plain(rows[$0].symbol) },
      SQLColumn.texts(rows.count) { rows[$0].side.name },
      SQLColumn.texts(rows.count) { rows[$0].type.name },
      SQLColumn.texts(rows.count) { rows[$0].timeInForce.name },
      SQLColumn.texts(rows.count) { numeric(rows[$0].price) },
      SQLColumn.texts(rows.count) { numeric(rows[$0].quantity) },
      SQLColumn.texts(rows.count) { rows[$0].status.name },
      SQLColumn.texts(rows.count) { numeric(rows[$0].filledQuantity) },
      SQLColumn.texts(rows.count) { numeric(rows[$0].filledNotional) },
      SQLColumn.texts(rows.count) { numeric(rows[$0].averagePrice) },
      SQLColumn.texts(rows.count) {
        rows[$0].rejectReason.rawValue == 0 ? nil : rows[$0].rejectReason.name
      },
      SQLColumn.texts(rows.count) {
        rows[$0].rejectText.isEmpty ? nil : plain(rows[$0].rejectText)
      },
      SQLColumn.instants(rows.count) { instant(rows[$0].createdAt) },
      SQLColumn.instants(rows.count) { instant(rows[$0].updatedAt) },
      SQLColumn.integers(rows.count) { Int64(rows[$0].version) },
      SQLColumn.texts(rows.count) { plain(rows[$0].createdBy) },
      SQLColumn.bytes(rows.count) { rows[$0].encoded() },
    ]
  }

  private static func text(_ text: String) -> SQLValue { .text(plain(text)) }

  /// PostgreSQL's text has no zero character; the message beside it has what was said.
  private static func plain(_ text: String) -> String {
    guard text.utf8.contains(0) else { return text }
    return String(
      String.UnicodeScalarView(text.unicodeScalars.map { $0 == "\0" ? "\u{FFFD}" : $0 }))
  }

  private static func numeric(_ wire: TypeV1.Decimal?) -> String? {
    guard let wire, wire.scale <= 18 else { return nil }
    return Units.Decimal(units: wire.units, scale: UInt8(wire.scale)).description
  }

  private static func instant(_ wire: GoogleProtobuf.Timestamp?) -> Instant? {
    wire.map { Instant(nanoseconds: $0.seconds * 1_000_000_000 + Int64($0.nanos)) }
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
        Self.text(query.symbol), Self.text(query.clientOrderID),
        .text(query.before?.description ?? ""), .integer(Int64(query.limit)),
      ])
    return try rows.map { try Self.message($0) }
  }

  func events(_ id: OrderID) async throws -> [OmsV1.OrderEvent] {
    let rows = try await database.query(
      """
      SELECT message FROM oms.order_events JOIN oms.progress USING (generation)
      WHERE order_id = $1 ORDER BY order_events.sequence
      """, [.text(id.description)])
    return try rows.map { try Self.message($0) }
  }

  func executions(_ query: ExecutionQuery) async throws -> [OmsV1.Execution] {
    let rows = try await database.query(
      """
      SELECT message FROM oms.executions JOIN oms.progress USING (generation)
      WHERE ($1 = '' OR symbol = $1) AND ($2 = '' OR order_id = $2) AND executions.sequence < $3
      ORDER BY executions.sequence DESC LIMIT $4
      """,
      [
        Self.text(query.symbol), Self.text(query.orderID),
        .integer(query.before.map { Int64(clamping: $0) } ?? .max), .integer(Int64(query.limit)),
      ])
    return try rows.map { try Self.message($0) }
  }

  private static func message<M: Message>(_ row: Row) throws -> M {
    let bytes: [UInt8] = try row.read("message")
    return try M(decoding: bytes)
  }
}
