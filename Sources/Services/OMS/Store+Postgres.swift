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
    if progress.isAgain {
      // Their stories are told anew: what an earlier generation had of them goes.
      statements.append(
        Statement(
          "DELETE FROM oms.order_events WHERE generation < $1 AND order_id = ANY($2)",
          [.integer(progress.generation), .texts(newest.keys.sorted())]))
    }
    for event in events {
      guard let order = event.order else { continue }
      statements.append(insert(event, order, progress.generation))
      if let execution = event.execution {
        statements.append(upsert(execution, progress.generation))
      }
    }
    // In one order everywhere, so that two writers never wait for each other.
    return statements
      + newest.sorted { $0.key < $1.key }.map { upsert($0.value, progress.generation) }
  }

  private static func insert(
    _ event: OmsV1.OrderEvent, _ order: OmsV1.Order, _ generation: Int64
  ) -> Statement {
    Statement(
      """
      INSERT INTO oms.order_events (generation, sequence, order_id, kind, time, status, message)
      VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (generation, sequence) DO NOTHING
      """,
      [
        .integer(generation), .integer(Int64(event.sequence)), text(order.orderId),
        .text(event.kind.name), instant(event.time), .text(order.status.name),
        .bytes(event.encoded()),
      ])
  }

  private static func upsert(_ execution: OmsV1.Execution, _ generation: Int64) -> Statement {
    Statement(
      """
      INSERT INTO oms.executions (sequence, venue, symbol, execution_id, order_id, client_order_id,
        account, strategy_id, side, price, quantity, fee, fee_asset, maker, exchange_time, message,
        generation)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
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
        .integer(Int64(execution.sequence)), text(execution.venue), text(execution.symbol),
        text(execution.executionId), text(execution.orderId), text(execution.clientOrderId),
        text(execution.account), text(execution.strategyId), .text(execution.side.name),
        numeric(execution.price), numeric(execution.quantity),
        execution.fee == nil ? .numeric("0") : numeric(execution.fee), text(execution.feeAsset),
        .boolean(execution.maker), instant(execution.exchangeTime), .bytes(execution.encoded()),
        .integer(generation),
      ])
  }

  private static func upsert(_ order: OmsV1.Order, _ generation: Int64) -> Statement {
    Statement(
      """
      INSERT INTO oms.orders (order_id, client_order_id, account, strategy_id, venue, symbol, side,
        type, time_in_force, price, quantity, status, filled_quantity, filled_notional,
        average_price, reject_reason, reject_text, created_at, updated_at, version, created_by, message,
        generation)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
        $20, $21, $22, $23)
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
      """,
      [
        text(order.orderId), text(order.clientOrderId), text(order.account),
        text(order.strategyId), text(order.venue), text(order.symbol), .text(order.side.name),
        .text(order.type.name), .text(order.timeInForce.name), numeric(order.price),
        numeric(order.quantity), .text(order.status.name), numeric(order.filledQuantity),
        numeric(order.filledNotional), numeric(order.averagePrice),
        order.rejectReason.rawValue == 0 ? .null : .text(order.rejectReason.name),
        order.rejectText.isEmpty ? .null : text(order.rejectText), instant(order.createdAt),
        instant(order.updatedAt), .integer(Int64(order.version)), text(order.createdBy),
        .bytes(order.encoded()), .integer(generation),
      ])
  }

  /// PostgreSQL's text has no zero character; the message beside it has what was said.
  private static func text(_ text: String) -> SQLValue {
    guard text.utf8.contains(0) else { return .text(text) }
    return .text(
      String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "\0" ? "\u{FFFD}" : $0 })))
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
