internal import CLinux
package import Chrono
internal import Glibc
internal import JSON

/// The kill switch as a file, `run/kill-switch`: for a machine on which nothing answers.
///
/// That it is there is what counts; what it says is for people. `shrivenquant kill` leaves it, and so
/// does the risk-manager when its journal refuses; the risk-manager removes it once its journal has
/// the engagement. Whoever trades looks at it before it begins and goes on looking.
package struct KillMark: Sendable {
  package let path: String

  /// How often it is looked for besides what the kernel tells: a `stat` of a microsecond.
  package static let interval = Duration.milliseconds(20)

  package struct Content: Sendable, Hashable {
    package let reason: String
    package let actor: String

    package init(reason: String, actor: String) {
      self.reason = reason
      self.actor = actor
    }
  }

  package init(_ state: StateFolder) { path = state.run + "/kill-switch" }

  package var isThere: Bool { fileExists(path) }

  /// Nil when there is none. One that cannot be read, or is empty, counts as well.
  package func read() -> Content? {
    guard isThere else { return nil }
    do {
      let root = try JSONDocument(parsing: readFile(path)).root
      return Content(reason: try root.string("reason"), actor: try root.string("actor"))
    } catch {
      return Content(reason: "the mark \(path)", actor: "unknown")
    }
  }

  /// There at once, for those that watch, and not durable yet: see `keep`. On a disk without room the
  /// name alone is left.
  package func announce(_ content: Content, at time: Instant) throws(FileError) {
    try makeFolder(folder)
    var json = JSONWriter()
    json.beginObject()
    json.member("reason", content.reason)
    json.member("actor", content.actor)
    json.member("time", "\(time)")
    json.endObject()
    do throws(FileError) {
      try placeFile(path, json.text + "\n", mode: 0o600)
    } catch {
      let file = clinux_open(path, O_WRONLY | O_CREAT, 0o600)
      guard file >= 0 else { throw error }
      close(file)
    }
  }

  /// What was announced survives the machine when it returns. One that is gone was taken over.
  package func keep() throws(FileError) {
    let file = clinux_open(path, O_RDONLY, 0)
    guard file >= 0 else {
      if clinux_errno() == ENOENT { return }
      throw FileError(path)
    }
    defer { close(file) }
    guard fsync(file) == 0 else { throw FileError(path) }
    try syncFolder(folder)
  }

  /// Durable when it returns.
  package func leave(_ content: Content, at time: Instant) throws(FileError) {
    try announce(content, at: time)
    try keep()
  }

  private var folder: String {
    String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
  }

  package func remove() throws(FileError) {
    guard unlink(path) == 0 || clinux_errno() == ENOENT else { throw FileError(path) }
  }
}

/// A new name is durable only when its folder is synced.
package func syncFolder(_ path: String) throws(FileError) {
  let folder = clinux_open(path, O_RDONLY | O_DIRECTORY, 0)
  guard folder >= 0 else { throw FileError(path) }
  defer { close(folder) }
  guard fsync(folder) == 0 else { throw FileError(path) }
}
