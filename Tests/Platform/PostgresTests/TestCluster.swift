import Foundation
import Loop
import Postgres
import Synchronization
import Testing

/// One private cluster and one loop for all tests of this process.
enum TestCluster {
  static let isInstalled = FileManager.default.isExecutableFile(
    atPath: "/usr/lib/postgresql/15/bin/initdb")

  static let loop: EventLoop = {
    let loop = EventLoop(name: "postgres-tests")
    _ = loop.start()
    return loop
  }()

  /// Started by the first test that asks; ends with the process.
  static let shared: Result<PrivateCluster, ClusterError> = {
    let folder = "/tmp/shrivenquant-test-\(getpid())"
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

  static func database(
    connectionsMax: Int = 4, _ change: (inout DatabaseSettings) -> Void = { _ in }
  ) throws -> Database {
    var settings = DatabaseSettings(url: try shared.get().url, connectionsMax: connectionsMax)
    settings.reconnectPauses = .milliseconds(1)...(.milliseconds(20))
    change(&settings)
    return Database(settings, loop: loop)
  }
}

extension Trait where Self == ConditionTrait {
  static var needsPostgres: Self {
    .enabled(
      if: TestCluster.isInstalled,
      "PostgreSQL 15 (Debian package postgresql-15) is missing: storage goes untested")
  }
}
