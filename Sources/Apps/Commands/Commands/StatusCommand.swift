internal import Loop
internal import Postgres
internal import ServiceKit
internal import Transport

enum StatusCommand {
  static let command = Command(
    CommandForm(
      "status", summary: "The services of the mesh: port, process, health.",
      options: MeshOptions.finding,
      notes: """
        Exit code 0: all SERVING; 1: some are not, or the private PostgreSQL does not run; 2: no mesh \
        runs on this state. Orphans, clusters whose state folder is gone, are told on standard error.
        """)
  ) { arguments in
    let options = try MeshOptions(arguments)
    let ports = try options.ports()
    let record = MeshRecord.read(options.state)
    let isRunning = StateLock.isHeld(options.state)
    let processes = isRunning ? record?.processes ?? [:] : [:]
    return try onLoop { loop in
      let rows = await table(ports, processes, loop: loop)
      Terminal.say(Terminal.table(rows.map(\.cells)))
      let database = database(isRunning ? record?.postgres : nil)
      for orphan in OrphanCluster.found() { Terminal.complain(orphan.text) }
      guard isRunning else {
        Terminal.complain("no `up` runs on \(options.state.path)")
        return 2
      }
      return database && rows.dropFirst().allSatisfy(\.isServing) ? 0 : 1
    }
  }

  /// Tells of the private PostgreSQL; true when it runs, or when there is none.
  private static func database(_ folder: String?) -> Bool {
    guard let folder else { return true }
    guard let server = ClusterPlace(at: folder).server else {
      Terminal.say("PostgreSQL does not run; its data is in \(folder)")
      return false
    }
    Terminal.say("PostgreSQL runs (process \(server)); its data is in \(folder)")
    return true
  }

  struct Row: Sendable {
    let cells: [String]
    let isServing: Bool
  }

  /// A heading and a row per service of the catalog.
  static func table(
    _ ports: PortTable, _ processes: [String: Int32], loop: EventLoop
  ) async -> [Row] {
    var rows = [Row(cells: ["SERVICE", "PORT", "PROCESS", "STATUS"], isServing: true)]
    for entry in Catalog.services {
      guard let port = ports.port(of: entry.name) else { continue }
      let finding = await HealthProbe.ask(
        .tcp(host: "127.0.0.1", port: port), within: .seconds(1), loop: loop)
      let pid = processes[entry.name.text].map(String.init) ?? "-"
      rows.append(
        Row(
          cells: [entry.name.text, String(port), pid, finding.text],
          isServing: finding == .serving))
    }
    return rows
  }
}
