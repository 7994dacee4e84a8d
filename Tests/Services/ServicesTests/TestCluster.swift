import Foundation
import Loop
import Postgres
import Synchronization
import Testing

/// One private cluster for all tests of this process, with a database for each test.
enum TestCluster {
  static let isInstalled = FileManager.default.isExecutableFile(
    atPath: "/usr/lib/postgresql/15/bin/initdb")

  /// Started by the first test that asks; ends with the process.
  private static let shared: Result<PrivateCluster, ClusterError> = {
    let folder = "/tmp/shrivenquant-services-test-\(getpid())"
    do throws(ClusterError) {
      let cluster = try PrivateCluster.start(folder: folder, durability: .throwaway)
      atexit {
        guard case .success(let cluster) = TestCluster.shared else { return }
        try? cluster.abandon()
        try? FileManager.default.removeItem(atPath: cluster.folder)
      }
      return .success(cluster)
    } catch {
      return .failure(error)
    }
  }()

  private static let databases = Atomic<Int>(0)

  /// The address of a database that is empty.
  static func newDatabase(_ loop: EventLoop) async throws -> String {
    let url = try shared.get().url
    let name = "test_\(databases.add(1, ordering: .relaxed).newValue)"
    let main = Database(DatabaseSettings(url: url, connectionsMax: 1), loop: loop)
    _ = try await main.query("CREATE DATABASE \(name)")
    await main.close()
    var parts = try #require(URLComponents(string: url))
    parts.path = "/" + name
    return try #require(parts.string)
  }
}

extension Trait where Self == ConditionTrait {
  static var needsPostgres: Self {
    .enabled(
      if: TestCluster.isInstalled,
      "PostgreSQL 15 (Debian package postgresql-15) is missing: stores go untested")
  }
}
