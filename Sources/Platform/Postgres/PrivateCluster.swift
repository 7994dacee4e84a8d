internal import Bytes
internal import CLinux
internal import CPostgres
internal import Glibc

/// A PostgreSQL server of our own in one folder, reached through a Unix socket only by the user who
/// made it. It outlives the process that starts it; the next `start` finds it running.
///
/// Everything here blocks on other programs: call it before a loop serves.
package struct PrivateCluster: Sendable {
  package enum Durability: Sendable {
    /// A commit is on the disk when it is answered.
    case synced
    /// For tests: a crash of the machine may destroy the cluster.
    case throwaway
  }

  /// For `DatabaseSettings`; holds no password, as the socket tells the server who we are.
  package let url: String
  package let place: ClusterPlace
  private let tools: ClusterTools
  private let durability: Durability

  private static let databaseName = "shrivenquant"
  // sockaddr_un.sun_path is 108 bytes with its end mark.
  private static let socketPathMax = 107
  private static let socketName = "/.s.PGSQL.5432"

  /// Where the data is.
  package var folder: String { place.folder }

  /// Makes the cluster when `folder` has none, and starts it when it does not run. `folder` is an
  /// absolute path. A cluster that was there and cannot be had is never replaced by an empty one: that
  /// is `ClusterError.lost`. What is mended on the way is said.
  package static func start(
    folder: String, durability: Durability, say: (String) -> Void = { _ in }
  ) throws(ClusterError) -> PrivateCluster {
    precondition(folder.hasPrefix("/"), "the folder of a cluster is an absolute path: \(folder)")
    let tools = try ClusterTools(folder, say: say)
    let folder = tools.place.folder
    try tools.makeFolder(folder)
    if !tools.exists { try initialize(folder, durability, tools) }
    let cluster = PrivateCluster(
      url: "postgresql:///\(databaseName)?host=\(percentEncoded(socketFolder(folder)))",
      place: tools.place, tools: tools, durability: durability)
    try cluster.run(say)
    return cluster
  }

  /// The server's process; nil while none runs.
  package var server: Int32? { place.server }

  /// Starts the server again after it has died, however it died: what it has left behind is cleared away
  /// first, and said. Does nothing when it runs.
  package func run(_ say: (String) -> Void) throws(ClusterError) {
    let sockets = Self.socketFolder(folder)
    try tools.makeFolder(sockets)
    if !tools.isRunning {
      endLeftBackends(say)
      try place.forgetDeadServer(say: say)
      // The same of its socket, which the next one would take for another server's.
      for left in [Self.socketName, Self.socketName + ".lock"] { unlink(sockets + left) }
      try tools.writeConfiguration(Self.configuration(sockets, durability))
      try tools.start()
    }
    try Self.createDatabase(sockets)
  }

  /// They end by themselves when they next wait; one that does not is ended, as it writes to files that
  /// the next server will recover.
  private func endLeftBackends(_ say: (String) -> Void) {
    for turn in 0..<100 {
      let left = place.leftBackends
      if left.isEmpty { return }
      if turn == 40 {
        say("ending \(left.count) processes that a dead PostgreSQL has left")
        for pid in left { kill(pid, SIGQUIT) }
      }
      if turn == 70 { for pid in left { kill(pid, SIGKILL) } }
      _ = poll(nil, 0, 50)
    }
  }

  /// Ends the server after its running transactions are cut off. Does nothing when it does not run.
  package func stop() throws(ClusterError) {
    if tools.isRunning { try tools.control(["-m", "fast", "-w", "-t", "60", "stop"]) }
    removeFarSockets()
  }

  /// Ends the server that runs at a place, whatever else is wrong there. Does nothing when none runs.
  package static func stop(_ place: ClusterPlace) throws(ClusterError) {
    guard place.server != nil else { return }
    let tools = try ClusterTools(place)
    try tools.control(["-m", "fast", "-w", "-t", "60", "stop"])
    let sockets = socketFolder(place.folder)
    if !sockets.hasPrefix(place.folder) { rmdir(sockets) }
  }

  /// For a throwaway cluster: ends the server at once, without a checkpoint.
  package func abandon() throws(ClusterError) {
    if tools.isRunning { try tools.control(["-m", "immediate", "-w", "-t", "60", "stop"]) }
    removeFarSockets()
  }

  /// A socket folder in /tmp would be left behind when the state folder is deleted. Not empty means
  /// in use, and then it stays.
  private func removeFarSockets() {
    let sockets = Self.socketFolder(folder)
    if !sockets.hasPrefix(folder) { rmdir(sockets) }
  }

  private static func initialize(
    _ folder: String, _ durability: Durability, _ tools: ClusterTools
  ) throws(ClusterError) {
    // Renamed when complete, so that a crash in the middle leaves no half cluster behind.
    let fresh = folder + "/data.new"
    try tools.run("rm", ["-rf", "--", fresh])
    var arguments = [
      "-D", fresh, "-U", try currentUser(), "-A", "peer", "--no-locale", "-E", "UTF8",
      "--data-checksums",
    ]
    if durability == .throwaway { arguments.append("--no-sync") }
    if geteuid() == 0 { arguments += ["--no-instructions"] }
    try tools.runAsServer("initdb", arguments)
    guard rename(fresh, folder + "/data") == 0 else {
      throw .system("\(fresh) cannot be renamed: \(String(cString: strerror(errno)))")
    }
  }

  /// A role of this name is made, and peer authentication lets nobody else in.
  private static func currentUser() throws(ClusterError) -> String {
    guard let entry = getpwuid(geteuid()) else { throw .noUser("with id \(geteuid())") }
    return String(cString: entry.pointee.pw_name)
  }

  private static func configuration(_ sockets: String, _ durability: Durability) -> String {
    let synced = durability == .synced ? "on" : "off"
    return """
      # Written at every start of the private cluster.
      listen_addresses = ''
      port = 5432
      unix_socket_directories = '\(sockets)'
      unix_socket_permissions = 0700
      max_connections = 100
      shared_buffers = 64MB
      fsync = \(synced)
      full_page_writes = \(synced)
      synchronous_commit = on
      wal_level = minimal
      max_wal_senders = 0
      jit = off
      log_timezone = 'UTC'
      timezone = 'UTC'

      """
  }

  /// In the cluster's folder when that path is short enough, else in /tmp under a name derived from it.
  private static func socketFolder(_ folder: String) -> String {
    let near = folder + "/socket"
    if near.utf8.count + socketName.utf8.count <= socketPathMax { return near }
    return "/tmp/shrivenquant-" + withUnsafeBytes(of: CRC32.of(folder)) { Hexadecimal.encode($0) }
  }

  private static func createDatabase(_ sockets: String) throws(ClusterError) {
    let url = "postgresql:///postgres?host=\(percentEncoded(sockets))&connect_timeout=10"
    let connection = PQconnectdb(url)
    defer { PQfinish(connection) }
    guard PQstatus(connection) == CONNECTION_OK else {
      throw .refused(String(cString: PQerrorMessage(connection)))
    }
    let result = PQexec(connection, "CREATE DATABASE \(databaseName)")
    defer { PQclear(result) }
    // 42P04: it is there already.
    let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { String(cString: $0) }
    guard PQresultStatus(result) == PGRES_COMMAND_OK || state == "42P04" else {
      throw .refused(String(cString: PQerrorMessage(connection)))
    }
  }

  private static func percentEncoded(_ path: String) -> String {
    var encoded = ""
    for byte in path.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: "."):
        encoded.unicodeScalars.append(Unicode.Scalar(byte))
      default: encoded += "%" + Hexadecimal.encode([byte])
      }
    }
    return encoded
  }
}
