internal import CLinux
internal import Glibc

/// PostgreSQL's own programs, run as the user that the server may run as: it refuses root, so root
/// runs them as `postgres`.
struct ClusterTools: Sendable {
  let place: ClusterPlace
  /// A cluster was found there.
  let exists: Bool
  private let programs: String
  private let user: (id: uid_t, group: gid_t)?

  private static let serverUser = "postgres"
  private static let searched = [15, 16, 17].map { "/usr/lib/postgresql/\($0)/bin" }

  /// For a cluster that is there, as it is.
  init(_ place: ClusterPlace) throws(ClusterError) {
    self.place = place
    exists = true
    programs = try Self.programs()
    user = try Self.user()
  }

  private static func programs() throws(ClusterError) -> String {
    guard let programs = searched.first(where: { access($0 + "/initdb", X_OK) == 0 }) else {
      throw .missingPrograms(searched: searched)
    }
    return programs
  }

  private static func user() throws(ClusterError) -> (id: uid_t, group: gid_t)? {
    guard geteuid() == 0 else { return nil }
    guard let entry = getpwnam(serverUser) else { throw .noUser(serverUser) }
    return (entry.pointee.pw_uid, entry.pointee.pw_gid)
  }

  /// Finds the cluster of the folder `asked`, or decides where it will be.
  init(_ asked: String, say: (String) -> Void) throws(ClusterError) {
    programs = try Self.programs()
    user = try Self.user()
    _ = try ChildProcess.run(["mkdir", "-p", "--", asked], outputFile: "/dev/null")
    if let found = try ClusterPlace.find(asked) {
      place = found
      exists = true
      try place.claim(say: say)
      try mendOwners(say)
    } else {
      // Root can enter every folder; the server's user needs each one above to let it pass.
      place = try ClusterPlace.make(asked, isReachable: try Self.isReachable(asked, by: user))
      exists = false
    }
  }

  private var folder: String { place.folder }

  private static func isReachable(
    _ folder: String, by user: (id: uid_t, group: gid_t)?
  ) throws(ClusterError) -> Bool {
    let parent = "/" + folder.split(separator: "/").dropLast().joined(separator: "/")
    return try ChildProcess.run(
      asServer(["test", "-x", parent], user), outputFile: "/dev/null"
    ).status == 0
  }

  /// Data that was copied by root belongs to root, and its server would refuse it.
  private func mendOwners(_ say: (String) -> Void) throws(ClusterError) {
    var status = stat()
    let data = folder + "/data"
    guard stat(data, &status) == 0 else { throw .lost("\(data): \(errorText())") }
    let owner = user?.id ?? geteuid()
    if status.st_uid != owner {
      guard let user else {
        throw .lost("\(data) belongs to user \(status.st_uid), and only root can change that")
      }
      say("\(data) belongs to user \(status.st_uid): given back to \(Self.serverUser)")
      try run("chown", ["-R", "\(user.id):\(user.group)", "--", data])
      // It is appended to by the server's user, and may not be there.
      chown(folder + "/server.log", user.id, user.group)
      try run("chmod", ["go-rwx", "--", data])
    }
    if try isReadable { return }
    // The cluster's own folder is the server's; what lies above is not ours to open.
    try makeFolder(folder)
    guard try isReadable else {
      throw .lost(
        "\(data) is out of the reach of the user \(Self.serverUser), as whom the server runs: every "
          + "folder above it must let that user pass")
    }
  }

  private var isReadable: Bool {
    get throws(ClusterError) {
      try ChildProcess.run(
        asServer(["test", "-r", folder + "/data/PG_VERSION"]), outputFile: "/dev/null"
      ).status == 0
    }
  }

  /// Makes a folder that belongs to the server and nobody else can enter.
  func makeFolder(_ path: String) throws(ClusterError) {
    let parents = path.split(separator: "/").dropLast().joined(separator: "/")
    _ = try ChildProcess.run(["mkdir", "-p", "--", "/" + parents], outputFile: "/dev/null")
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
      throw .system("\(path) cannot be made: \(String(cString: strerror(errno)))")
    }
    var status = stat()
    let owner = user?.id ?? geteuid()
    // In /tmp somebody else may have been first, with a link that leads elsewhere.
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
      status.st_uid == owner || status.st_uid == geteuid()
    else { throw .system("\(path) is not a folder of ours") }
    if let user, chown(path, user.id, user.group) != 0 {
      throw .system("\(path) cannot be given to \(Self.serverUser)")
    }
    guard chmod(path, 0o700) == 0 else { throw .system("\(path) cannot be closed to others") }
  }

  var isRunning: Bool { place.server != nil }

  func start() throws(ClusterError) {
    try control(["-l", folder + "/server.log", "-w", "-t", "120", "-s", "start"])
  }

  func control(_ arguments: [String]) throws(ClusterError) {
    try runAsServer("pg_ctl", ["-D", folder + "/data"] + arguments)
  }

  func runAsServer(_ program: String, _ arguments: [String]) throws(ClusterError) {
    try run(asServer(["\(programs)/\(program)"] + arguments), program)
  }

  func run(_ program: String, _ arguments: [String]) throws(ClusterError) {
    try run([program] + arguments, program)
  }

  private func run(_ command: [String], _ program: String) throws(ClusterError) {
    let ended = try ChildProcess.run(command, outputFile: outputFile)
    guard ended.status == 0 else {
      throw .failed(program: program, status: ended.status, output: ended.output)
    }
  }

  private func asServer(_ command: [String]) -> [String] { Self.asServer(command, user) }

  private static func asServer(
    _ command: [String], _ user: (id: uid_t, group: gid_t)?
  ) -> [String] {
    // The server must not stand in the folder of whoever started it first, nor need to enter it.
    guard let user else { return ["env", "-C", "/"] + command }
    return [
      "env", "-C", "/", "setpriv", "--reuid=\(user.id)", "--regid=\(user.group)", "--clear-groups",
      "--",
    ] + command
  }

  private var outputFile: String { folder + "/command.log" }

  /// `postgresql.auto.conf` has the last word of the server's own files.
  func writeConfiguration(_ text: String) throws(ClusterError) {
    let path = folder + "/data/postgresql.auto.conf"
    let fd = clinux_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard fd >= 0 else {
      throw .system("\(path) cannot be written: \(String(cString: strerror(errno)))")
    }
    defer { close(fd) }
    let bytes = Array(text.utf8)
    guard write(fd, bytes, bytes.count) == bytes.count else {
      throw .system("\(path) cannot be written: \(String(cString: strerror(errno)))")
    }
    if let user { fchown(fd, user.id, user.group) }
  }
}
