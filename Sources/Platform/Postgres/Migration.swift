private import Bytes

/// One step of a schema. Once released it is never edited: a later step corrects it.
package struct Migration: Sendable, Hashable {
  /// 1, 2, 3 and so on.
  package let version: Int64
  package let name: String
  /// Commands separated by semicolons. Unqualified names mean the service's schema.
  package let sql: String

  package init(_ version: Int64, _ name: String, _ sql: String) {
    self.version = version
    self.name = name
    self.sql = sql
  }

  var checksum: String {
    withUnsafeBytes(of: CRC32.of(sql).bigEndian) { Hexadecimal.encode($0) }
  }
}

extension Database {
  /// Two services that start together take turns: any constant will do, as long as it is the same.
  private static let migrationLock: Int64 = 0x5348_5249_5645_4e51

  /// Makes `schema` and applies the migrations that it lacks, all in one transaction. A migration
  /// that was edited after it was applied, or one that this program does not know, is refused.
  package func migrate(schema: String, _ migrations: [Migration]) async throws {
    precondition(
      migrations.map(\.version) == Array(1..<Int64(migrations.count + 1)),
      "migrations are numbered 1, 2, 3: \(migrations.map(\.version))")
    precondition(
      schema.utf8.allSatisfy { $0 == UInt8(ascii: "_") || (97...122).contains($0) },
      "a schema is lower case letters: \(schema)")
    try await transaction { transaction in
      try await transaction.query(
        "SELECT pg_advisory_xact_lock($1)", [.integer(Self.migrationLock)])
      try await transaction.pipeline([
        Statement("CREATE SCHEMA IF NOT EXISTS \(schema)"),
        Statement("SET LOCAL search_path TO \(schema)"),
        Statement(
          """
          CREATE TABLE IF NOT EXISTS schema_migrations (
            version int8 PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now())
          """),
      ])
      let applied = try await transaction.query(
        "SELECT version, name, checksum FROM schema_migrations ORDER BY version")
      let missing = try Self.missing(schema, migrations, applied)
      for migration in missing {
        try await transaction.script(migration.sql)
        try await transaction.query(
          "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
          [.integer(migration.version), .text(migration.name), .text(migration.checksum)])
      }
    }
  }

  private static func missing(
    _ schema: String, _ migrations: [Migration], _ applied: Rows
  ) throws(SQLError) -> ArraySlice<Migration> {
    guard applied.count <= migrations.count else {
      throw SQLError(
        .migration,
        "\(schema) has \(applied.count) migrations, this program knows \(migrations.count)")
    }
    for (row, migration) in zip(applied, migrations) {
      let checksum: String = try row.read("checksum")
      let name: String = try row.read("name")
      guard checksum == migration.checksum, name == migration.name else {
        throw SQLError(
          .migration,
          "\(schema) migration \(migration.version) (\(name)) was edited after it was applied")
      }
    }
    return migrations.dropFirst(applied.count)
  }
}
