import ServiceKit
import Testing

@Suite struct `Settings that are no TOML` {
  @Test(arguments: ["[{a}]", "[{venues]b\"\"O", "[", "a = [", "= 1", "a.= 1", "[a", "\u{0}"])
  func `are refused with the name of the file, whatever the parser thinks impossible`(
    text: String
  ) {
    let error = #expect(throws: SettingsError.self) {
      try TOMLFile(parsing: Array(text.utf8), name: "mesh.toml")
    }
    #expect(error?.problems.first?.hasPrefix("mesh.toml") == true)
  }
}
