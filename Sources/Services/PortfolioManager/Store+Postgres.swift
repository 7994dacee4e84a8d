internal import Chrono
internal import Contracts
internal import Postgres
internal import Units

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
      """)
  ]

  func record(_ positions: [PortfolioV1.Position], through sequence: UInt64) async throws {
    var statements = positions.map(Self.upsert)
    statements.append(
      Statement("UPDATE portfolio.progress SET sequence = $1", [.integer(Int64(sequence))]))
    _ = try await database.pipeline(statements)
  }

  private static func upsert(_ position: PortfolioV1.Position) -> Statement {
    let time = position.updatedAt ?? .init()
    return Statement(
      """
      INSERT INTO portfolio.positions (account, venue, symbol, quantity, cost, average_price,
        mark_price, unrealised_pnl, realised_pnl, fees, bought_quantity, sold_quantity, fills,
        quote_currency, updated_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
      ON CONFLICT (account, venue, symbol) DO UPDATE SET quantity = EXCLUDED.quantity,
        cost = EXCLUDED.cost, average_price = EXCLUDED.average_price,
        mark_price = EXCLUDED.mark_price, unrealised_pnl = EXCLUDED.unrealised_pnl,
        realised_pnl = EXCLUDED.realised_pnl, fees = EXCLUDED.fees,
        bought_quantity = EXCLUDED.bought_quantity, sold_quantity = EXCLUDED.sold_quantity,
        fills = EXCLUDED.fills, updated_at = EXCLUDED.updated_at
      """,
      [
        .text(position.account), .text(position.venue), .text(position.symbol),
        numeric(position.quantity), numeric(position.cost), numeric(position.averagePrice),
        numeric(position.markPrice), numeric(position.unrealisedPnl), numeric(position.realisedPnl),
        numeric(position.fees), numeric(position.boughtQuantity), numeric(position.soldQuantity),
        .integer(Int64(position.fills)), .text(position.quoteCurrency),
        .instant(Instant(nanoseconds: time.seconds * 1_000_000_000 + Int64(time.nanos))),
      ])
  }

  private static func numeric(_ wire: TypeV1.Decimal?) -> SQLValue {
    guard let wire, wire.scale <= 18 else { return .null }
    return .decimal(Units.Decimal(units: wire.units, scale: UInt8(wire.scale)))
  }
}
