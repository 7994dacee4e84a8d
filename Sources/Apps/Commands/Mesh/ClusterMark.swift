internal import JSON
internal import ServiceKit

/// What `up` writes into a state folder when it has a cluster for it: that there is one, and where. It
/// goes with a copy of the folder, so that a copy without its cluster is told from a new folder.
struct ClusterMark: Sendable, Equatable {
  /// Where the cluster's data is.
  var folder: String

  static func path(_ state: StateFolder) -> String { state.path + "/cluster.json" }

  /// Nil when there never was a cluster. Throws when the mark is there and cannot be read.
  static func read(_ state: StateFolder) throws -> ClusterMark? {
    let path = path(state)
    guard fileExists(path) else { return nil }
    do {
      return ClusterMark(folder: try JSONDocument(parsing: readFile(path)).root.string("folder"))
    } catch {
      throw CommandError("\(path) cannot be read: \(error)")
    }
  }

  func write(_ state: StateFolder) throws(FileError) {
    var json = JSONWriter()
    json.beginObject()
    json.member("folder", folder)
    json.endObject()
    try writeFile(Self.path(state), json.text + "\n", mode: 0o644)
  }
}
