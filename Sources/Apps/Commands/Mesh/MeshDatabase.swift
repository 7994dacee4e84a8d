internal import Loop
internal import Postgres
internal import ServiceKit

/// The mesh's PostgreSQL: a private cluster, or one that somebody else runs.
struct MeshDatabase: Sendable {
  let url: String
  private let cluster: PrivateCluster?

  /// The first start of a private cluster takes about five seconds, and blocks.
  static func start(
    _ state: StateFolder, environment: [String: String], say: (String) -> Void
  ) throws -> MeshDatabase {
    if let url = environment["SHRIVENQUANT_DATABASE_URL"], !url.isEmpty {
      say("PostgreSQL is the one of SHRIVENQUANT_DATABASE_URL")
      return MeshDatabase(url: url, cluster: nil)
    }
    let isNew = !fileExists(state.postgres + "/data/PG_VERSION")
    say(isNew ? "making a private PostgreSQL cluster" : "starting the private PostgreSQL cluster")
    let cluster = try PrivateCluster.start(folder: state.postgres, durability: .synced)
    say("PostgreSQL is ready")
    return MeshDatabase(url: cluster.url, cluster: cluster)
  }

  /// Ends a private cluster that an `up` which was killed has left running; false when there is none.
  ///
  /// Its folder must not be removed before: a server whose files are gone ends by itself some time
  /// later, and takes the socket of its successor with it.
  @discardableResult
  static func stopLeftover(_ state: StateFolder) throws(ClusterError) -> Bool {
    guard fileExists(state.postgres + "/data/postmaster.pid") else { return false }
    try PrivateCluster.start(folder: state.postgres, durability: .synced).stop()
    return true
  }

  func stop(say: (String) -> Void) {
    do {
      try cluster?.stop()
    } catch {
      say("PostgreSQL did not stop: \(error)")
    }
  }
}
