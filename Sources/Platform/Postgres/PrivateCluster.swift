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
  /// Where the data is: under /var/lib when the folder that was asked for is out of the reach of the
  /// server's user, which happens to root only.
  package let folder: String
  private let tools: ClusterTools

  private static let databaseName = "shrivenquant"
  // sockaddr_un.sun_path is 108 bytes with its end mark.
  private static let socketPathMax = 107
  private static let socketName = "/.s.PGSQL.5432"

  /// Makes the cluster when `folder` has none, and starts it when it does not run. `folder` is an
  /// absolute path.
  package static func start(
    folder: String, durability: Durability
  ) throws(ClusterError) -> PrivateCluster {
    precondition(folder.hasPrefix("/"), "the folder of a cluster is an absolute path: \(folder)")
    let tools = try ClusterTools(folder: folder)
    let folder = tools.folder
    try tools.makeFolder(folder)
    let sockets = socketFolder(folder)
    try tools.makeFolder(sockets)
    if access(folder + "/data/PG_VERSION", F_OK) != 0 { try initialize(folder, durability, tools) }
    if try !tools.isRunning {
      try tools.writeConfiguration(configuration(sockets, durability))
      try tools.start()
    }
    try createDatabase(sockets)
    return PrivateCluster(
      url: "postgresql:///\(databaseName)?host=\(percentEncoded(sockets))", folder: folder,
      tools: tools)
  }

  /// Ends the server after its running transactions are cut off. Does nothing when it does not run.
  package func stop() throws(ClusterError) {
    if try tools.isRunning { try tools.control(["-m", "fast", "-w", "-t", "60", "stop"]) }
    removeFarSockets()
  }

  /// For a throwaway cluster: ends the server at once, without a checkpoint.
  package func abandon() throws(ClusterError) {
    if try tools.isRunning { try tools.control(["-m", "immediate", "-w", "-t", "60", "stop"]) }
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
