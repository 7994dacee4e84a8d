/// What a service can be told: declared and read in one place, its `Config`'s `init`.
///
///     struct Config: ServiceSettings {
///       let ordersInFlightMax: Int
///       init(_ settings: SettingsReader) {
///         ordersInFlightMax = settings.int(
///           "orders_in_flight_max", in: 1...1_000_000, default: 10_000, unit: "orders",
///           "New orders are refused with RESOURCE_EXHAUSTED beyond this.")
///       }
///     }
package protocol ServiceSettings: Sendable {
  /// Never fails: problems are gathered by the reader and reported together, before anything starts.
  init(_ settings: SettingsReader)
}

/// For a service that has nothing to set.
package struct NoSettings: ServiceSettings {
  package init(_ settings: SettingsReader) {}
}

/// Reads one section, remembering what was declared and what was wrong.
package final class SettingsReader {
  package let section: String
  private let sources: SettingsSources
  package private(set) var rows: [SettingRow] = []
  private var problems: [String] = []

  package init(section: String, sources: SettingsSources) {
    self.section = section
    self.sources = sources
  }

  /// What is wrong, unknown keys included; ask after the settings were read.
  package func allProblems() -> [String] {
    problems + sources.unknown(section, keys: rows.map(\.key))
  }

  /// A rule across settings: `settings.check(low < high, "low must be under high")`.
  package func check(_ holds: Bool, _ problem: String) {
    if !holds { problems.append("[\(section)] \(problem)") }
  }

  /// Declares a setting, and reads it with `parse`, which says what is wrong with a bad value.
  func read<Value>(
    _ declaration: SettingRow, alias: String? = nil, default value: Value,
    parse: (Raw) throws(Wrong) -> Value
  ) -> Value {
    let isNew = !rows.contains { $0.key == declaration.key }
    precondition(isNew, "\(section).\(declaration.key) is declared twice")
    var row = declaration
    defer { rows.append(row) }
    guard let found = sources.find(section, row.key, alias: alias) else { return value }
    row.origin = found.origin
    let raw =
      switch found {
      case .inFile(let value, _, _): Raw.typed(value)
      case .text(let text, _): Raw.text(text)
      }
    row.value = row.isSecret ? "(set)" : raw.shown
    do throws(Wrong) {
      return try parse(raw)
    } catch {
      let shown = row.isSecret ? "" : " is \(raw.shown)"
      problems.append("\(section).\(row.key)\(shown) (\(found.origin)): \(error.what)")
      return value
    }
  }

  struct Wrong: Error {
    let what: String
    init(_ what: String) { self.what = what }
  }

  /// A value as TOML typed it, or as the environment or a flag spelled it.
  enum Raw {
    case typed(TOMLFile.Value)
    case text(String)

    var shown: String {
      switch self {
      case .typed(let value): Self.shown(value)
      case .text(let text): "\"\(text)\""
      }
    }

    private static func shown(_ value: TOMLFile.Value) -> String {
      switch value {
      case .table: "{...}"
      case .array(let elements): "[" + elements.map(shown).joined(separator: ", ") + "]"
      case .string(let text): "\"\(text)\""
      case .integer(let text), .float(let text), .moment(let text): text
      case .boolean(let flag): "\(flag)"
      }
    }
  }
}

/// One declared setting, for `check` and for the tables in docs.
package struct SettingRow: Sendable, Hashable {
  package let key: String
  /// `whole number 1...65535`
  package let type: String
  package let unit: String
  package let standard: String
  package let doc: String
  package let isSecret: Bool
  /// As found, nil when the default holds.
  package internal(set) var value: String?
  package internal(set) var origin = "default"

  init(
    _ key: String, type: String, unit: String = "", standard: String, isSecret: Bool = false,
    _ doc: String
  ) {
    self.key = key
    self.type = type
    self.unit = unit
    self.standard = standard
    self.isSecret = isSecret
    self.doc = doc
  }
}

extension ServiceSettings {
  /// Every setting at its default; for tests.
  package static var defaults: Self { Self(SettingsReader(section: "defaults", sources: .init())) }

  /// Defaults but for these keys, spelled as flags are; throws what is wrong.
  package static func with(_ values: [String: String]) throws(SettingsError) -> Self {
    let flags = values.map { SettingsSources.Flag(path: "given.\($0.key)", text: $0.value) }
    let reader = SettingsReader(section: "given", sources: SettingsSources(flags: flags))
    let settings = Self(reader)
    let problems = reader.allProblems()
    guard problems.isEmpty else { throw SettingsError(problems) }
    return settings
  }
}
