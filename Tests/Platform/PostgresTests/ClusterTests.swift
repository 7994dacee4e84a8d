import Foundation
import Glibc
import Loop
import Postgres
import Synchronization
import Testing

/// Folders for clusters of one test, and what was said of them.
private final class Scene: Sendable {
  let base = "/tmp/shrivenquant-scene-\(UUID().uuidString)"
  private let lines = Mutex<[String]>([])
  private let clusters = Mutex<[PrivateCluster]>([])

  init() throws {
    try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
  }

  var said: [String] { lines.withLock { $0 } }

  func start(_ name: String) async throws -> PrivateCluster {
    let folder = base + "/\(name)/postgres"
    let cluster = try await onThread { [self] in
      try PrivateCluster.start(folder: folder, durability: .throwaway) { line in
        lines.withLock { $0.append(line) }
      }
    }
    clusters.withLock { $0.append(cluster) }
    return cluster
  }

  func run(_ words: String...) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = words
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(words)")
  }

  func end() {
    for cluster in clusters.withLock({ $0 }) {
      try? cluster.abandon()
      if cluster.place.isStandIn { try? FileManager.default.removeItem(atPath: cluster.folder) }
    }
    try? FileManager.default.removeItem(atPath: base)
  }

  func database(_ cluster: PrivateCluster) -> Database {
    Database(DatabaseSettings(url: cluster.url, connectionsMax: 1), loop: TestCluster.loop)
  }

  func kept(_ cluster: PrivateCluster) async throws -> Int {
    try await database(cluster).query("SELECT n FROM kept")[0].read("n")
  }
}

/// Runs what blocks on other programs on a thread of its own: those of tasks are as few as the cores, and
/// other tests need them.
private func onThread<Result: Sendable>(
  _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Swift.Result(catching: body)) }
  }
}

@Suite(.needsPostgres) struct `A private cluster in trouble` {
  private func with(_ body: (Scene) async throws -> Void) async throws {
    let scene = try Scene()
    defer { scene.end() }
    try await body(scene)
  }

  private func gone(_ cluster: PrivateCluster) async {
    while cluster.server != nil { await Task.yield() }
  }

  @Test func `REC-03 a server that was killed is started again, beside what it has left`()
    async throws
  {
    try await with { scene in
      let cluster = try await scene.start("state")
      try await scene.database(cluster).query("CREATE TABLE kept AS SELECT 42 AS n")
      for _ in 0..<3 {
        let server = try #require(cluster.server)
        // A backend that is busy does not notice that its server has died.
        let busy = scene.database(cluster)
        async let sleeping = try? busy.query("SELECT pg_sleep(30)")
        let looking = scene.database(cluster)
        let sleepers = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)'"
        while try await looking.query(sleepers).isEmpty {}
        kill(server, SIGKILL)
        await gone(cluster)

        try await onThread { try cluster.run { _ in } }

        #expect(cluster.server != nil && cluster.server != server)
        #expect(try await scene.kept(cluster) == 42)
        await busy.close()
        _ = await sleeping
      }
    }
  }

  @Test func `a note of a dead server that another process has the number of is no server`()
    async throws
  {
    let scene = try Scene()
    defer { scene.end() }
    let cluster = try await scene.start("state")
    let note = cluster.folder + "/data/postmaster.pid"
    try await onThread { try cluster.stop() }
    try "\(getpid())\n\(cluster.folder)/data\n".write(
      toFile: note, atomically: true, encoding: .utf8)

    #expect(cluster.server == nil)
    try await onThread { try cluster.run { _ in } }

    #expect(cluster.server != nil)
  }

  @Test(.enabled(if: geteuid() == 0, "only root copies what is not its own"))
  func `KS-01 a copy without its owners is mended aloud, and nothing is lost`() async throws {
    try await with { scene in
      let first = try await scene.start("state")
      try await scene.database(first).query("CREATE TABLE kept AS SELECT 42 AS n")
      try await onThread { try first.stop() }
      try scene.run("cp", "-r", scene.base + "/state", scene.base + "/copy")

      let copy = try await scene.start("copy")

      #expect(copy.folder == scene.base + "/copy/postgres")
      #expect(try await scene.kept(copy) == 42)
      #expect(scene.said.contains { $0.contains("belongs to user 0: given back to postgres") })
      // The first one is another cluster, and unharmed.
      let again = try await scene.start("state")
      #expect(again.server != copy.server)
      #expect(try await scene.kept(again) == 42)
    }
  }

  @Test func `KS-01 data that was copied while its server ran is refused`() async throws {
    let scene = try Scene()
    defer { scene.end() }
    let first = try await scene.start("state")
    try scene.run("cp", "-a", scene.base + "/state", scene.base + "/copy")

    let error = await #expect(throws: ClusterError.self) { try await scene.start("copy") }

    #expect(error?.problem.contains("such a copy may be torn") == true)
    #expect(first.server != nil)
    // And once more when that server is gone: as after a loss of power.
    let server = try #require(first.server)
    kill(server, SIGKILL)
    await gone(first)
    _ = try await scene.start("copy")
    #expect(scene.said.contains { $0.contains("without a clean stop") })
  }

  @Test func `KS-01 data that is not what it was is never replaced by an empty cluster`()
    async throws
  {
    let scene = try Scene()
    defer { scene.end() }
    let cluster = try await scene.start("state")
    try await onThread { try cluster.stop() }
    let version = cluster.folder + "/data/PG_VERSION"
    try FileManager.default.moveItem(atPath: version, toPath: version + ".away")

    let error = await #expect(throws: ClusterError.self) { try await scene.start("state") }
    #expect(error?.problem.contains("is no cluster of PostgreSQL") == true)

    try FileManager.default.moveItem(atPath: version + ".away", toPath: version)
    _ = try await scene.start("state")
  }

  @Test(.enabled(if: geteuid() == 0, "only root starts the server as another user"))
  func `KS-01 a stand-in is of one state folder, and knows when that has moved`() async throws {
    try await with { scene in
      try FileManager.default.createDirectory(
        atPath: scene.base + "/closed", withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o700])
      let first = try await scene.start("closed/a")
      #expect(first.place.isStandIn)
      try await scene.database(first).query("CREATE TABLE kept AS SELECT 42 AS n")
      try await onThread { try first.stop() }
      try scene.run("cp", "-a", scene.base + "/closed/a", scene.base + "/closed/b")

      let error = await #expect(throws: ClusterError.self) { try await scene.start("closed/b") }
      #expect(error?.problem.contains("is a copy of that folder") == true)
      #expect(try ClusterPlace.find(scene.base + "/closed/b/postgres")?.isOwn == false)

      try scene.run("rm", "-r", scene.base + "/closed/a")
      #expect(
        ClusterPlace.standInsFound().contains {
          $0.folder == first.folder && $0.asked == scene.base + "/closed/a/postgres"
        })
      let moved = try await scene.start("closed/b")
      #expect(moved.folder == first.folder)
      #expect(try await scene.kept(moved) == 42)
      #expect(scene.said.contains { $0.contains("which is gone: it is") })
      #expect(
        ClusterPlace.isNeeded(standIn: first.folder, by: scene.base + "/closed/b/postgres"))
      try await onThread { try moved.stop() }

      try FileManager.default.removeItem(atPath: first.folder)
      let lost = await #expect(throws: ClusterError.self) { try await scene.start("closed/b") }
      #expect(lost?.problem.contains("and there is none") == true)
    }
  }
}

@Suite(.needsPostgres) struct `Rows that the server does not take` {
  @Test(arguments: [0, 1, 6, 13])
  func `REC-02 are found by halving, and all others are written`(bad: Int) async throws {
    let database = try TestCluster.database()
    let table = "halved_\(bad)"
    try await database.query("CREATE TABLE \(table) (n int8 PRIMARY KEY CHECK (n % 13 <> \(bad)))")
    try await database.query("CREATE TABLE \(table)_last (n int8, aside text)")

    let refused = try await database.write(
      Array(0..<40),
      as: { $0.map { Statement("INSERT INTO \(table) VALUES ($1)", [.integer(Int64($0))]) } },
      finally: [Statement("INSERT INTO \(table)_last (n) VALUES (40)")]
    ) { refused in
      Statement(
        "INSERT INTO \(table)_last (n, aside) VALUES ($1, $2)",
        [.integer(Int64(refused.item)), .text(refused.error.constraint)])
    }

    let expected = (0..<40).filter { $0 % 13 == bad }
    #expect(refused.map(\.item) == expected)
    #expect(try await database.query("SELECT n FROM \(table)").count == 40 - expected.count)
    #expect(try await database.query("SELECT n FROM \(table)_last").count == 1 + expected.count)
  }

  @Test func `are not looked for when the server is at fault`() async throws {
    let database = try TestCluster.database()

    await #expect(throws: SQLError.self) {
      try await database.write(
        [1, 2], as: { $0.map { _ in Statement("INSERT INTO no_such_table VALUES (1)") } },
        finally: []
      ) { _ in Statement("SELECT 1") }
    }
  }
}
