import Foundation
import Glibc
import Loop
import Postgres
import ServiceKit
import Synchronization
import TestKit
import Testing

@testable import Commands

/// Lines that a command has said.
private final class Said: Sendable {
  private let lines = Mutex<[String]>([])
  func say(_ line: String) { lines.withLock { $0.append(line) } }
  var text: String { lines.withLock { $0.joined(separator: "\n") } }
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

private func started(_ state: StateFolder, _ said: Said) async throws -> MeshDatabase {
  try await onThread { try MeshDatabase.start(state, environment: [:], say: said.say) }
}

@Suite(
  .enabled(
    if: fileExists("/usr/lib/postgresql/15/bin/initdb"),
    "PostgreSQL 15 (Debian package postgresql-15) is missing: the private cluster goes untested"))
struct `The mesh's PostgreSQL` {
  private func with(_ body: (StateFolder, Said) async throws -> Void) async throws {
    // Where PostgreSQL's user may pass, as it may through /tmp.
    let state = StateFolder(
      "/tmp/sq-mesh-database-\(getpid())-\(UInt32.random(in: 0...UInt32.max))")
    try makeFolder(state.postgres)
    let said = Said()
    defer {
      _ = try? MeshDatabase.stopLeftover(state, say: said.say)
      try? removeState(state)
      try? removeTree(state.path)
    }
    try await body(state, said)
  }

  @Test func `KS-01 a state that had a cluster never gets an empty one in its place`() async throws
  {
    try await with { state, said in
      let made = try await started(state, said)
      #expect(said.text.contains("making a private PostgreSQL cluster"))
      #expect(try ClusterMark.read(state) == ClusterMark(folder: state.postgres))
      made.stop(say: said.say)

      // As in a copy that could not read what belongs to PostgreSQL.
      rename(state.postgres, state.path + "/away")
      for isEmpty in [false, true] {
        if isEmpty { try makeFolder(state.postgres) }
        let error = await #expect(throws: CommandError.self) {
          try await started(state, said)
        }
        #expect(error?.description.contains("says that a cluster was made in") == true)
        #expect(error?.description.contains("up --fresh") == true)
      }
      #expect(!fileExists(state.postgres + "/data"))

      rmdir(state.postgres)
      rename(state.path + "/away", state.postgres)
      let again = try await started(state, said)
      again.stop(say: said.say)
      try removeState(state)
      #expect(try ClusterMark.read(state) == nil)
      #expect(!fileExists(state.postgres))
    }
  }

  @Test func `REC-03 a PostgreSQL that dies is started again, and that is said`() async throws {
    try await with { state, said in
      let made = try await started(state, said)
      let cluster = try #require(made.cluster)
      try await withLoop { loop in
        let keeper = DatabaseKeeper(cluster, loop, say: said.say)
        let first = try #require(cluster.server)
        kill(first, SIGKILL)
        #expect(await eventually { said.text.contains("PostgreSQL is back") })
        #expect(cluster.server != nil && cluster.server != first)
        #expect(
          said.text.contains("PostgreSQL (process \(first)) is gone; starting it again in 0.1 s"))

        await keeper.stop()
        kill(try #require(cluster.server), SIGKILL)
        #expect(await eventually { cluster.server == nil })
      }
      #expect(said.text.components(separatedBy: "is gone").count == 2)
      try await onThread { try cluster.run { _ in } }
      made.stop(say: said.say)
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root's clusters lie outside of their state"))
  func `OBS-01 an orphan is told with the command that removes it, and that removes it`()
    async throws
  {
    let folder = try TemporaryFolder()
    chmod(folder.path, 0o700)
    let state = StateFolder(folder.path + "/state")
    try makeFolder(state.postgres)
    let said = Said()
    let made = try await started(state, said)
    let cluster = try #require(made.cluster)
    #expect(cluster.place.isStandIn)
    #expect(!OrphanCluster.found().contains { $0.folder == cluster.folder })

    rename(state.path, folder.path + "/gone")
    let orphan = try #require(OrphanCluster.found().first { $0.folder == cluster.folder })
    #expect(orphan.text.contains("`shrivenquant down --purge --cluster \(cluster.folder)`"))
    #expect(orphan.text.contains("its state folder \(state.path) is gone"))
    #expect(cluster.server != nil)

    #expect(
      ShrivenQuant.main(["shrivenquant", "down", "--purge", "--cluster", cluster.folder]) == 0)
    #expect(!fileExists(cluster.folder))
    #expect(cluster.server == nil)
    #expect(
      ShrivenQuant.main(["shrivenquant", "down", "--purge", "--cluster", cluster.folder]) == 1)
  }

  @Test(.enabled(if: geteuid() == 0, "only root's clusters lie outside of their state"))
  func `OBS-01 purging a state takes its cluster along, and no other's`() async throws {
    let folder = try TemporaryFolder()
    chmod(folder.path, 0o700)
    let (state, copy) = (StateFolder(folder.path + "/state"), StateFolder(folder.path + "/copy"))
    try makeFolder(state.postgres)
    let said = Said()
    let cluster = try #require(try await started(state, said).cluster)
    _ = try folder.write("state/mesh.toml", "")
    try FileManager.default.copyItem(atPath: state.path, toPath: copy.path)

    #expect(ShrivenQuant.main(["shrivenquant", "down", "--purge", "--state", copy.path]) == 0)
    #expect(cluster.server != nil)
    #expect(ShrivenQuant.main(["shrivenquant", "down", "--purge", "--state", state.path]) == 0)

    #expect(!fileExists(cluster.folder))
    #expect(fileExists(state.settings))
    #expect(!fileExists(state.postgres))
  }
}
