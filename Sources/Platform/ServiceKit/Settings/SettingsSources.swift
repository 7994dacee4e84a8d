/// Where settings come from, weakest first: a TOML file, the environment, flags.
package struct SettingsSources: Sendable {
  package let file: TOMLFile?
  package let environment: [String: String]
  /// From `--set oms.key=value`, in order; the last of a key counts.
  package let flags: [Flag]

  package struct Flag: Sendable, Hashable {
    package let path: String
    package let text: String

    package init(path: String, text: String) {
      self.path = path
      self.text = text
    }

    /// `oms.key=value`
    package init(parsing argument: String) throws(SettingsError) {
      let pair = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2, pair[0].contains(".") else {
        throw SettingsError("--set \(argument): write --set SERVICE.KEY=VALUE")
      }
      self.init(path: String(pair[0]), text: String(pair[1]))
    }
  }

  package init(
    file: TOMLFile? = nil, environment: [String: String] = [:], flags: [Flag] = []
  ) {
    self.file = file
    self.environment = environment
    self.flags = flags
  }

  /// One setting as found, and where.
  enum Found {
    case inFile(TOMLFile.Value, line: Int, file: String)
    case text(String, origin: String)

    var origin: String {
      switch self {
      case .inFile(_, let line, let file): "\(file), line \(line)"
      case .text(_, let origin): origin
      }
    }
  }

  /// `SHRIVENQUANT_RISK_MANAGER_MAX_LEVERAGE` for `max_leverage` of section `risk-manager`.
  package static func variable(_ section: String, _ key: String) -> String {
    "SHRIVENQUANT_\(upper(section))_\(upper(key))"
  }

  private static func upper(_ text: String) -> String {
    String(text.map { $0 == "-" || $0 == "." ? "_" : Character($0.uppercased()) })
  }

  /// `alias` is an extra variable's name, such as `SHRIVENQUANT_DATABASE_URL`.
  func find(_ section: String, _ key: String, alias: String? = nil) -> Found? {
    let path = "\(section).\(key)"
    if let flag = flags.last(where: { $0.path == path }) {
      return .text(flag.text, origin: "--set \(path)")
    }
    for variable in [Self.variable(section, key), alias] {
      if let variable, let text = environment[variable] { return .text(text, origin: variable) }
    }
    if let file, let entry = file.entries.first(where: { $0.path == path }) {
      return .inFile(entry.value, line: entry.line, file: file.name)
    }
    return nil
  }

  /// What is set for a section and is none of its keys.
  func unknown(_ section: String, keys: [String]) -> [String] {
    let known = Set(keys)
    var problems: [String] = []
    func report(_ key: String, _ origin: String) {
      problems.append(
        "\(section).\(key) (\(origin)) is not a setting\(suggestion(for: key, among: keys))")
    }
    for entry in file?.entries ?? [] where entry.path.hasPrefix(section + ".") {
      let key = String(entry.path.dropFirst(section.count + 1))
      let isOuterTable = entry.value == .table && known.contains { $0.hasPrefix(key + ".") }
      if !known.contains(key), !isOuterTable { report(key, "\(file!.name), line \(entry.line)") }
    }
    for flag in flags where flag.path.hasPrefix(section + ".") {
      let key = String(flag.path.dropFirst(section.count + 1))
      if !known.contains(key) { report(key, "--set") }
    }
    let variables = Dictionary(
      keys.map { (Self.variable(section, $0), $0) }, uniquingKeysWith: { first, _ in first })
    let prefix = Self.variable(section, "")
    for variable in environment.keys.sorted() where variable.hasPrefix(prefix) {
      if variables[variable] == nil {
        problems.append(
          "\(variable) is not a setting\(suggestion(for: variable, among: variables.keys.sorted()))"
        )
      }
    }
    return problems
  }

  /// Sections that are none of `known`.
  package func unknownSections(_ known: [String]) -> [String] {
    var problems: [String] = []
    var seen: Set<String> = []
    func report(_ path: String, _ origin: String) {
      let section = String(path.prefix { $0 != "." })
      guard !known.contains(section), seen.insert(section).inserted else { return }
      problems.append(
        "[\(section)] (\(origin)) is not a section\(suggestion(for: section, among: known))")
    }
    for entry in file?.entries ?? [] { report(entry.path, "\(file!.name), line \(entry.line)") }
    for flag in flags { report(flag.path, "--set \(flag.path)") }
    return problems
  }
}
