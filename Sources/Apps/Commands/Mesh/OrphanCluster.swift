internal import Glibc
internal import Postgres
internal import ServiceKit

/// Clusters of root's meshes under /var/lib whose state folder is gone, or has another one.
struct OrphanCluster: Sendable, Equatable {
  let folder: String
  /// The state's `postgres` folder; nil when the cluster does not say, as those of earlier versions.
  let asked: String?

  static func found() -> [OrphanCluster] {
    ClusterPlace.standInsFound()
      .map { OrphanCluster(folder: $0.folder, asked: $0.asked) }
      .filter { orphan in
        orphan.asked.map { !ClusterPlace.isNeeded(standIn: orphan.folder, by: $0) }
          ?? !orphan.isRunning
      }
  }

  var isRunning: Bool { ClusterPlace(at: folder).server != nil }

  /// A line for people, with the command that removes it.
  var text: String {
    let whose =
      asked.map { "its state folder \($0.dropping("/postgres")) is gone" }
      ?? "it does not say whose it is: an earlier version made it"
    return "orphan: the PostgreSQL cluster \(folder): \(whose); "
      + "`shrivenquant down --purge --cluster \(folder)` removes it"
  }

  /// Ends its server and removes it.
  func remove() throws {
    try PrivateCluster.stop(ClusterPlace(at: folder))
    try removeTree(folder)
  }
}

extension String {
  fileprivate func dropping(_ end: String) -> String {
    hasSuffix(end) ? String(dropLast(end.count)) : self
  }
}
