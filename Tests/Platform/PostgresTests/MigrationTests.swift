import Foundation
import Loop
import Postgres
import Testing

@Suite(.needsPostgres) struct `Migrations` {
  private let first = Migration(
    1, "orders", "CREATE TABLE orders (id int8); CREATE INDEX ON orders (id); -- two commands")
  private let second = Migration(2, "notes", "ALTER TABLE orders ADD note text DEFAULT 'a;b'")

  @Test func `are applied once, in order, in the service's own schema`() async throws {
    let database = try TestCluster.database { $0.schema = "applied" }

    try await database.migrate(schema: "applied", [first])
    try await database.migrate(schema: "applied", [first, second])
    try await database.migrate(schema: "applied", [first, second])

    try await database.query("INSERT INTO orders (id) VALUES (1)")
    #expect(try await database.query("SELECT note FROM applied.orders")[0].read("note") == "a;b")
    #expect(try await database.query("SELECT * FROM applied.schema_migrations").affected == 2)
  }

  @Test func `an edited or unknown migration is refused`() async throws {
    let database = try TestCluster.database()
    try await database.migrate(schema: "edited", [first, second])

    let edited = await #expect(throws: SQLError.self) {
      try await database.migrate(
        schema: "edited", [first, Migration(2, "notes", second.sql + " NOT NULL")])
    }
    let unknown = await #expect(throws: SQLError.self) {
      try await database.migrate(schema: "edited", [first])
    }

    #expect(edited?.message == "edited migration 2 (notes) was edited after it was applied")
    #expect(unknown?.message == "edited has 2 migrations, this program knows 1")
  }

  @Test func `one that fails leaves nothing of its run behind`() async throws {
    let database = try TestCluster.database()

    let error = await #expect(throws: SQLError.self) {
      try await database.migrate(
        schema: "failing", [first, Migration(2, "broken", "CREATE TABLE t (id int8); SELEKT")])
    }

    #expect(error?.sqlstate == "42601")
    #expect(
      try await database.query("SELECT 1 FROM pg_namespace WHERE nspname = 'failing'").isEmpty)
  }

  @Test func `services that start together take turns`() async throws {
    let databases = try (0..<4).map { _ in try TestCluster.database(connectionsMax: 1) }
    let steps = [first, second]

    try await withThrowingTaskGroup { group in
      for database in databases {
        group.addTask { try await database.migrate(schema: "together", steps) }
      }
      try await group.waitForAll()
    }

    #expect(try await databases[0].query("SELECT * FROM together.schema_migrations").count == 2)
  }
}

@Suite(.needsPostgres) struct `A private cluster` {
  @Test func `keeps its data when it is stopped and started, under a path of any length`()
    async throws
  {
    let base = "/tmp/shrivenquant-cluster-\(UUID().uuidString)"
    let folder = base + "/" + String(repeating: "long", count: 20)
    defer { try? FileManager.default.removeItem(atPath: base) }
    func database(_ cluster: PrivateCluster) -> Database {
      Database(DatabaseSettings(url: cluster.url, connectionsMax: 1), loop: TestCluster.loop)
    }

    let cluster = try PrivateCluster.start(folder: folder, durability: .throwaway)
    defer { try? cluster.abandon() }
    let before = database(cluster)
    try await before.query("CREATE TABLE kept AS SELECT 42 AS n")
    let same = try PrivateCluster.start(folder: folder, durability: .throwaway)
    #expect(same.url == cluster.url)
    #expect(try await before.query("SELECT n FROM kept")[0].read("n") == 42)

    try same.stop()
    try same.stop()
    let again = try PrivateCluster.start(folder: folder, durability: .throwaway)

    #expect(try await before.query("SELECT n FROM kept")[0].read("n") == 42)
    #expect(
      try await database(again).query("SHOW listen_addresses")[0].read("listen_addresses") == "")
  }

  @Test(.enabled(if: geteuid() == 0, "only root starts the server as another user"))
  func `root's folders that the server cannot enter get a stand-in, found again later`() throws {
    let base = "/tmp/shrivenquant-private-\(UUID().uuidString)"
    try FileManager.default.createDirectory(
      atPath: base, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])

    let cluster = try PrivateCluster.start(folder: base + "/state", durability: .throwaway)
    let same = try PrivateCluster.start(folder: base + "/state", durability: .throwaway)

    #expect(cluster.folder.hasPrefix("/var/lib/shrivenquant-"))
    #expect(same.folder == cluster.folder)
    try cluster.abandon()
    try FileManager.default.removeItem(atPath: cluster.folder)
    try FileManager.default.removeItem(atPath: base)
  }
}
