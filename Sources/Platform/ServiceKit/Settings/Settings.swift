/// A service's own settings and those of the mesh, read and checked together.
package struct LoadedSettings<Config: ServiceSettings>: Sendable {
  package let mesh: MeshSettings
  package let config: Config
  package let tables: [SettingsTable]

  /// Throws everything that is wrong at once. `sections` are all names a file may hold.
  package init(
    _ service: ServiceName, from sources: SettingsSources, sections: [String]
  ) throws(SettingsError) {
    let meshReader = SettingsReader(section: MeshSettings.section, sources: sources)
    let mesh = MeshSettings(meshReader)
    let reader = SettingsReader(section: service.text, sources: sources)
    let config = Config(reader)
    let problems =
      sources.unknownSections(sections + [MeshSettings.section, service.text])
      + meshReader.allProblems() + reader.allProblems()
    guard problems.isEmpty else { throw SettingsError(problems) }
    self.mesh = mesh
    self.config = config
    self.tables = [
      SettingsTable(section: service.text, rows: reader.rows),
      SettingsTable(section: MeshSettings.section, rows: meshReader.rows),
    ]
  }
}
