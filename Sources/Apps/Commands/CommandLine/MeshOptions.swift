internal import JSON
internal import ServiceKit

/// The options that say which mesh is meant, and what they amount to.
struct MeshOptions: Sendable {
  static let state = CommandForm.Option(
    "--state", value: "DIR", "where the mesh keeps its state (default ./var)")
  static let portOffset = CommandForm.Option(
    "--port-offset", value: "N", "added to every port of ports.toml")
  static let ports = CommandForm.Option("--ports", value: "FILE", "another ports.toml")
  static let settings = CommandForm.Option(
    "--settings", value: "FILE", "settings in TOML (default: mesh.toml in the state folder)")
  static let set = CommandForm.Option(
    "--set", value: "SERVICE.KEY=VALUE", "one setting; may be repeated")
  /// Enough to find a running mesh.
  static let finding = [state, portOffset, ports]
  static let all = finding + [settings, set]

  let state: StateFolder
  let portsPath: String
  let portOffset: Int
  let settingsFile: String?
  private(set) var flags: [SettingsSources.Flag]

  init(_ arguments: Arguments) throws {
    state = StateFolder(arguments.value("--state") ?? "var")
    let running = MeshRecord.read(state)
    portOffset = try arguments.int(
      "--port-offset", in: 0...15_000, default: running?.portOffset ?? 0)
    portsPath = try PortTable.find(
      given: arguments.value("--ports") ?? running?.ports, environment: processEnvironment())
    let given = arguments.value("--settings").map(absolutePath)
    settingsFile = given ?? (fileExists(state.settings) ? state.settings : nil)
    var flags: [SettingsSources.Flag] = []
    for text in arguments.values("--set") { flags.append(try SettingsSources.Flag(parsing: text)) }
    self.flags = flags
  }

  /// The same with settings that any `--set` overrules.
  func implying(_ implied: [SettingsSources.Flag]) -> MeshOptions {
    var options = self
    options.flags = implied + flags
    return options
  }

  func ports() throws(SettingsError) -> PortTable {
    try PortTable(reading: portsPath, offset: portOffset)
  }

  func sources() throws(SettingsError) -> SettingsSources {
    var file: TOMLFile?
    if let settingsFile { file = try TOMLFile(reading: settingsFile) }
    return SettingsSources(file: file, environment: processEnvironment(), flags: flags)
  }

  /// The words that give a child process the same mesh.
  var words: [String] {
    var words = ["--state", state.path, "--ports", portsPath, "--port-offset", String(portOffset)]
    if let settingsFile { words += ["--settings", settingsFile] }
    for flag in flags { words += ["--set", "\(flag.path)=\(flag.text)"] }
    return words
  }
}

/// What a running `up` leaves in `run/mesh.json` for the other commands: who supervises, and where.
struct MeshRecord: Sendable, Equatable {
  var supervisor: Int32
  var portOffset: Int
  var ports: String
  /// The process of each service, by name.
  var processes: [String: Int32] = [:]
  /// Where the private PostgreSQL has its data; nil when the mesh uses somebody else's.
  var postgres: String?

  static func path(_ state: StateFolder) -> String { state.run + "/mesh.json" }

  /// Nil when there is none, or none that can be read: then nothing is known to run.
  static func read(_ state: StateFolder) -> MeshRecord? {
    do {
      let document = try JSONDocument(parsing: readFile(path(state)))
      var record = MeshRecord(
        supervisor: Int32(truncatingIfNeeded: try document.root.int64("supervisor")),
        portOffset: Int(try document.root.int64("portOffset")),
        ports: try document.root.string("ports"))
      record.postgres = document.root["postgres"]?.string
      for member in document.root["processes"]?.object?.map({ $0 }) ?? [] {
        if let pid = member.value.int64 {
          record.processes[member.name] = Int32(truncatingIfNeeded: pid)
        }
      }
      return record
    } catch {
      return nil
    }
  }

  func write(_ state: StateFolder) throws(FileError) {
    var json = JSONWriter()
    json.beginObject()
    json.member("supervisor", supervisor)
    json.member("portOffset", portOffset)
    json.member("ports", ports)
    if let postgres { json.member("postgres", postgres) }
    json.name("processes")
    json.beginObject()
    for (name, pid) in processes.sorted(by: { $0.key < $1.key }) { json.member(name, pid) }
    json.endObject()
    json.endObject()
    try writeFile(Self.path(state), json.text + "\n", mode: 0o644)
  }
}
