internal import Chrono
internal import Contracts
internal import Postgres
internal import Units
internal import Wire

/// Schema `portfolio`.
struct PostgresPositionStore: PositionStore {
  static let schema = "portfolio"
  private let database: Database

  init(_ database: Database) { self.database = database }

  func prepare() async throws { try await database.migrate(schema: Self.schema, Self.migrations) }

  private static let migrations = [
    Migration(
      1, "positions",
      """
      CREATE TABLE progress (only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),
        sequence int8 NOT NULL);
      INSERT INTO progress (sequence) VALUES (0);
      CREATE TABLE positions (
        account text NOT NULL, venue text NOT NULL, symbol text NOT NULL, quantity numeric NOT NULL,
        cost numeric NOT NULL, average_price numeric, mark_price numeric, unrealised_pnl numeric,
        realised_pnl numeric NOT NULL, fees numeric NOT NULL, bought_quantity numeric NOT NULL,
        sold_quantity numeric NOT NULL, fills int8 NOT NULL, quote_currency text NOT NULL,
        updated_at timestamptz NOT NULL, PRIMARY KEY (account, venue, symbol));
      """),
    Migration(
      2, "base fees, what is set aside",
      """
      ALTER TABLE positions ADD COLUMN base_currency text NOT NULL DEFAULT '',
        ADD COLUMN base_fees numeric NOT NULL DEFAULT 0;
      CREATE TABLE set_aside (key bytea PRIMARY KEY, sequence int8 NOT NULL, message bytea NOT NULL,
        error text NOT NULL, set_aside_at timestamptz NOT NULL DEFAULT now());
      """),
  ]

  func record(
    _ changes: PositionChanges, isWhole: Bool
  ) async throws -> [RefusedItem<PortfolioV1.Position>] {
    let sequence = SQLValue.integer(Int64(changes.sequence))
    var last = [Statement("UPDATE portfolio.progress SET sequence = $1", [sequence])]
    if isWhole { last += Self.removal(ofAllBut: changes.positions) }
    return try await database.write(
      changes.positions, as: { $0.map(Self.upsert) }, finally: last
    ) { refused in
      Statement(
        """
        INSERT INTO portfolio.set_aside (key, sequence, message, error) VALUES ($1, $2, $3, $4)
        ON CONFLICT (key) DO UPDATE SET sequence = EXCLUDED.sequence, message = EXCLUDED.message,
          error = EXCLUDED.error, set_aside_at = now()
        """,
        [
          .bytes(
            Array("\(refused.item.account)\n\(refused.item.venue)\n\(refused.item.symbol)".utf8)),
          sequence, .bytes(refused.item.encoded()), Self.text(refused.error.description),
        ])
    }
  }

  /// What an earlier fold knew and this one does not is of a log that is gone; and this fold sets aside
  /// anew what cannot be stored.
  private static func removal(ofAllBut positions: [PortfolioV1.Position]) -> [Statement] {
    [
      Statement(
        """
        DELETE FROM portfolio.positions WHERE (account, venue, symbol) NOT IN (
          SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))
        """,
        [
          .texts(positions.map { plain($0.account) }), .texts(positions.map { plain($0.venue) }),
          .texts(positions.map { plain($0.symbol) }),
        ])
    ]
  }

  private static func upsert(_ position: PortfolioV1.Position) -> Statement {
    let time = position.updatedAt ?? .init()
    return Statement(
      """
      INSERT INTO portfolio.positions (account, venue, symbol, quantity, cost, average_price,
        mark_price, unrealised_pnl, realised_pnl, fees, bought_quantity, sold_quantity, fills,
        quote_currency, updated_at, base_currency, base_fees)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
      ON CONFLICT (account, venue, symbol) DO UPDATE SET quantity = EXCLUDED.quantity,
        cost = EXCLUDED.cost, average_price = EXCLUDED.average_price,
        mark_price = EXCLUDED.mark_price, unrealised_pnl = EXCLUDED.unrealised_pnl,
        realised_pnl = EXCLUDED.realised_pnl, fees = EXCLUDED.fees,
        bought_quantity = EXCLUDED.bought_quantity, sold_quantity = EXCLUDED.sold_quantity,
        fills = EXCLUDED.fills, quote_currency = EXCLUDED.quote_currency,
        updated_at = EXCLUDED.updated_at, base_currency = EXCLUDED.base_currency,
        base_fees = EXCLUDED.base_fees
      """,
      [
        text(position.account), text(position.venue), text(position.symbol),
        numeric(position.quantity), numeric(position.cost), numeric(position.averagePrice),
        numeric(position.markPrice), numeric(position.unrealisedPnl), numeric(position.realisedPnl),
        numeric(position.fees), numeric(position.boughtQuantity), numeric(position.soldQuantity),
        .integer(Int64(position.fills)), text(position.quoteCurrency),
        .instant(Instant(nanoseconds: time.seconds * 1_000_000_000 + Int64(time.nanos))),
        text(position.baseCurrency),
        position.baseFees == nil ? .numeric("0") : numeric(position.baseFees),
      ])
  }

  /// PostgreSQL's text has no zero character.
  private static func plain(_ text: String) -> String {
    guard text.utf8.contains(0) else { return text }
    return String(
      String.UnicodeScalarView(text.unicodeScalars.map { $0 == "\0" ? "\u{FFFD}" : $0 }))
  }

  private static func text(_ text: String) -> SQLValue { .text(plain(text)) }

  private static func numeric(_ wire: TypeV1.Decimal?) -> SQLValue {
    guard let wire, wire.scale <= 18 else { return .null }
    return .decimal(Units.Decimal(units: wire.units, scale: UInt8(wire.scale)))
  }
}
