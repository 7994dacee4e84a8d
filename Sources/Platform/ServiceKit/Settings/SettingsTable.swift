/// A section's settings as people read them.
package struct SettingsTable: Sendable {
  package let section: String
  package let rows: [SettingRow]

  package init(section: String, rows: [SettingRow]) {
    self.section = section
    self.rows = rows
  }

  /// For docs/services: key, type, unit, default, meaning, and the variable that sets it.
  package var markdown: String {
    var text = "| setting of `[\(section)]` | type | unit | default | meaning | environment |\n"
    text += "|---|---|---|---|---|---|\n"
    for row in rows {
      text += "| `\(row.key)` | \(row.type) | \(row.unit) | `\(row.standard)` | \(row.doc) "
      text += "| `\(SettingsSources.variable(section, row.key))` |\n"
    }
    return text
  }

  /// For `check`: what holds now, and why.
  package var plain: String {
    guard !rows.isEmpty else { return "[\(section)] has no settings\n" }
    var text = "[\(section)]\n"
    for row in rows {
      let unit = row.unit.isEmpty ? "" : " \(row.unit)"
      text += "  \(row.key) = \(row.value ?? row.standard)\(unit)  (\(row.origin))\n"
      text += "      \(row.doc) \(row.type)\n"
    }
    return text
  }
}
