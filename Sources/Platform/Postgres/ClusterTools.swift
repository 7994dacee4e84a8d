internal import CLinux
internal import Glibc

/// PostgreSQL's own programs, run as the user that the server may run as: it refuses root, so root
/// runs them as `postgres`.
struct ClusterTools: Sendable {
  /// Where the cluster is: the folder that was asked for, or the one that stands in for it.
  private(set) var folder: String
  private let programs: String
  private let user: (id: uid_t, group: gid_t)?

  private static let serverUser = "postgres"
  private static let searched = [15, 16, 17].map { "/usr/lib/postgresql/\($0)/bin" }

  init(folder: String) throws(ClusterError) {
    self.folder = folder
    guard let programs = Self.searched.first(where: { access($0 + "/initdb", X_OK) == 0 }) else {
      throw .missingPrograms(searched: Self.searched)
    }
    self.programs = programs
    guard geteuid() == 0 else {
      user = nil
      return
    }
    guard let entry = getpwnam(Self.serverUser) else { throw .noUser(Self.serverUser) }
    user = (entry.pointee.pw_uid, entry.pointee.pw_gid)
    try moveWithinReach()
  }

  /// Root can enter every folder; the server's user needs each one above to let it pass. A folder
  /// beyond its reach, such as one in a home, gets a stand-in under /var/lib, named in `location`:
  /// made anew with the folder, so that a new folder never finds the data of an old one.
  private mutating func moveWithinReach() throws(ClusterError) {
    _ = try ChildProcess.run(["mkdir", "-p", "--", folder], outputFile: "/dev/null")
    let note = folder + "/location"
    if let noted = readlink(note) {
      folder = noted
    } else if try ChildProcess.run(
      asServer(["test", "-x", folder + "/.."]), outputFile: "/dev/null"
    ).status != 0 {
      var template = Array("/var/lib/shrivenquant-XXXXXX".utf8CString)
      guard let made = template.withUnsafeMutableBufferPointer({ mkdtemp($0.baseAddress!) }) else {
        throw .system("no folder in /var/lib: \(String(cString: strerror(errno)))")
      }
      let standIn = String(cString: made)
      guard symlink(standIn, note) == 0 else {
        throw .system("\(note) cannot be made: \(String(cString: strerror(errno)))")
      }
      folder = standIn
    }
  }

  private func readlink(_ path: String) -> String? {
    var target = [UInt8](repeating: 0, count: 4096)
    let count = target.withUnsafeMutableBytes {
      Glibc.readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    return count < 0 ? nil : String(decoding: target[0..<count], as: UTF8.self)
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

  var isRunning: Bool {
    get throws(ClusterError) {
      let answer = try ChildProcess.run(
        asServer([programs + "/pg_ctl", "-D", folder + "/data", "status"]),
        outputFile: outputFile)
      return answer.status == 0
    }
  }

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

  private func asServer(_ command: [String]) -> [String] {
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
