/// `ports.toml`: the only place where a port is written.
package struct PortTable: Sendable {
  package let path: String
  /// Added to every port, so that two meshes can run side by side.
  package let offset: Int
  package let services: [(name: ServiceName, port: Int)]
  package let tools: [(name: ServiceName, port: Int)]

  package init(reading path: String, offset: Int = 0) throws(SettingsError) {
    try self.init(file: TOMLFile(reading: path), offset: offset)
  }

  package init(file: TOMLFile, offset: Int = 0) throws(SettingsError) {
    var services: [(name: ServiceName, port: Int)] = []
    var tools: [(name: ServiceName, port: Int)] = []
    var problems: [String] = []
    for entry in file.entries where entry.value != .table {
      let parts = entry.path.split(separator: ".").map(String.init)
      guard parts.count == 2, parts[0] == "services" || parts[0] == "tools" else {
        problems.append("\(file.name), line \(entry.line): \(entry.path) is in no known section")
        continue
      }
      guard case .integer(let text) = entry.value, let port = Int(text),
        (1...65_535).contains(port + offset)
      else {
        problems.append(
          "\(file.name), line \(entry.line): \(parts[1]) needs a port from 1 to 65535"
            + (offset == 0 ? "" : " after adding \(offset)"))
        continue
      }
      if let other = (services + tools).first(where: { $0.port == port + offset }) {
        problems.append(
          "\(file.name), line \(entry.line): \(parts[1]) and \(other.name) have one port, \(port)")
      }
      let row = (name: ServiceName(parts[1]), port: port + offset)
      if parts[0] == "services" { services.append(row) } else { tools.append(row) }
    }
    guard problems.isEmpty else { throw SettingsError(problems) }
    self.path = file.name
    self.offset = offset
    self.services = services
    self.tools = tools
  }

  private init() {
    path = ""
    offset = 0
    services = []
    tools = []
  }

  /// No ports at all; for tests.
  package static let empty = PortTable()

  package func port(of name: ServiceName) -> Int? {
    (services + tools).first { $0.name == name }?.port
  }

  /// The path given by `--ports` or SHRIVENQUANT_PORTS, else the nearest `ports.toml` at or above the
  /// working folder, else at or above the program's folder.
  package static func find(
    given: String?, environment: [String: String]
  ) throws(SettingsError) -> String {
    if let given = given ?? environment["SHRIVENQUANT_PORTS"] {
      guard fileExists(given) else { throw SettingsError("\(given): there is no such port table") }
      return absolutePath(given)
    }
    for start in [currentFolder(), executablePath()] {
      var folder = start
      while true {
        let candidate = (folder == "/" ? "" : folder) + "/ports.toml"
        if fileExists(candidate) { return candidate }
        guard let cut = folder.lastIndex(of: "/"), folder != "/" else { break }
        folder = cut == folder.startIndex ? "/" : String(folder[..<cut])
      }
    }
    throw SettingsError(
      "ports.toml is neither at or above \(currentFolder()) nor beside the program; "
        + "run from the project's folder, or name it with --ports FILE or SHRIVENQUANT_PORTS")
  }
}
