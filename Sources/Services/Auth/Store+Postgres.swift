internal import Chrono
internal import Postgres

/// Schema `auth`.
struct PostgresUserStore: UserStore {
  private let database: Database

  init(_ database: Database) { self.database = database }

  private static let migrations = [
    Migration(
      1, "users",
      """
      CREATE TABLE users (user_id text PRIMARY KEY, name text NOT NULL UNIQUE,
        password_hash text NOT NULL, roles text[] NOT NULL, created_at timestamptz NOT NULL);
      """)
  ]

  func prepare() async throws { try await database.migrate(schema: "auth", Self.migrations) }

  private static let columns =
    "user_id, name, password_hash, array_to_string(roles, ',') AS roles, created_at"

  func user(named name: String) async throws -> StoredUser? {
    let rows = try await database.query(
      "SELECT \(Self.columns) FROM auth.users WHERE name = $1", [.text(name)])
    return try rows.first.map(Self.user)
  }

  func user(id: String) async throws -> StoredUser? {
    let rows = try await database.query(
      "SELECT \(Self.columns) FROM auth.users WHERE user_id = $1", [.text(id)])
    return try rows.first.map(Self.user)
  }

  func users() async throws -> [StoredUser] {
    try await database.query("SELECT \(Self.columns) FROM auth.users ORDER BY name").map(Self.user)
  }

  func add(_ user: StoredUser) async throws -> Bool {
    let rows = try await database.query(
      """
      INSERT INTO auth.users (user_id, name, password_hash, roles, created_at)
      VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING
      """,
      [
        .text(user.id), .text(user.name), .text(user.passwordHash), .texts(user.roles),
        .instant(user.created),
      ])
    return rows.affected == 1
  }

  private static func user(_ row: Row) throws -> StoredUser {
    let roles: String = try row.read("roles")
    return StoredUser(
      id: try row.read("user_id"), name: try row.read("name"),
      passwordHash: try row.read("password_hash"),
      roles: roles.split(separator: ",").map(String.init), created: try row.read("created_at"))
  }
}
