internal import Loop
internal import Postgres
internal import ServiceKit

/// The mesh's PostgreSQL: a private cluster, or one that somebody else runs.
struct MeshDatabase: Sendable {
  let url: String
  let cluster: PrivateCluster?

  /// The first start of a private cluster takes about five seconds, and blocks.
  static func start(
    _ state: StateFolder, environment: [String: String], say: (String) -> Void
  ) throws -> MeshDatabase {
    if let url = environment["SHRIVENQUANT_DATABASE_URL"], !url.isEmpty {
      say("PostgreSQL is the one of SHRIVENQUANT_DATABASE_URL")
      return MeshDatabase(url: url, cluster: nil)
    }
    let isNew = try !isThere(state)
    say(isNew ? "making a private PostgreSQL cluster" : "starting the private PostgreSQL cluster")
    let cluster = try PrivateCluster.start(folder: state.postgres, durability: .synced, say: say)
    try ClusterMark(folder: cluster.folder).write(state)
    say("PostgreSQL is ready\(cluster.place.isStandIn ? " in \(cluster.folder)" : "")")
    return MeshDatabase(url: cluster.url, cluster: cluster)
  }

  /// Whether the state has a cluster. Throws when it had one that is not there or cannot be looked at:
  /// an empty one in its place would let nobody in, and in a state of an earlier version it would release
  /// the kill switch and put every limit back to its default.
  private static func isThere(_ state: StateFolder) throws -> Bool {
    let mark = try ClusterMark.read(state)
    do {
      if try ClusterPlace.find(state.postgres) != nil { return true }
    } catch {
      throw CommandError(refusal(state, error.problem))
    }
    guard let mark else { return false }
    throw CommandError(
      refusal(
        state,
        "\(ClusterMark.path(state)) says that a cluster was made in \(mark.folder), and "
          + "\(state.postgres) has none"))
  }

  private static func refusal(_ state: StateFolder, _ problem: String) -> String {
    """
    the PostgreSQL of this state cannot be had: \(problem).
    It holds users, the record, and of earlier versions limits and kill switch: nothing was started. Put it back, with its owners \
    (cp -a, tar -p, or pg_dump). To do without it: `up --fresh` starts over with nothing at all, and \
    without \(ClusterMark.path(state)) and \(state.postgres) an empty one is made beside the journals.
    """
  }

  /// Ends a private cluster that an `up` which was killed has left running; false when there is none.
  ///
  /// Its folder must not be removed before: a server whose files are gone ends by itself some time
  /// later, and takes the socket of its successor with it.
  @discardableResult
  static func stopLeftover(
    _ state: StateFolder, say: (String) -> Void
  ) throws(ClusterError) -> Bool {
    let found: ClusterPlace?
    do throws(ClusterError) {
      found = try ClusterPlace.find(state.postgres)
    } catch {
      // There is nothing to be stopped, and it is good to know.
      say(error.problem)
      return false
    }
    guard let place = found, place.isOwn, place.server != nil else { return false }
    try PrivateCluster.stop(place)
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
