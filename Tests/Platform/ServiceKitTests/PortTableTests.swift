import ServiceKit
import Testing

@Suite struct `Port table` {
  func table(_ text: String, offset: Int = 0) throws -> PortTable {
    try PortTable(
      file: TOMLFile(parsing: Array(text.utf8), name: "ports.toml"), offset: offset)
  }

  @Test func `PORT-19 a changed port in ports.toml is the port`() throws {
    let ports = try table("[services]\noms = 50160\n[tools]\nvenue-sim = 9443")

    #expect(ports.port(of: "oms") == 50_160)
    #expect(ports.port(of: "venue-sim") == 9443)
    #expect(ports.port(of: "auth") == nil)
  }

  @Test func `the offset is added to every port`() throws {
    let ports = try table("[services]\noms = 50060\n[tools]\nvenue-sim = 9443", offset: 1000)

    #expect(ports.port(of: "oms") == 51_060)
    #expect(ports.port(of: "venue-sim") == 10_443)
  }

  @Test func `the order is that of the file`() throws {
    let ports = try table("[services]\nz = 3\na = 1\nm = 2")

    #expect(ports.services.map(\.name) == ["z", "a", "m"])
  }

  @Test(arguments: [
    "[services]\noms = 0", "[services]\noms = 65536", "[services]\noms = \"50060\"",
    "[services]\noms = 1\nauth = 1", "[servces]\noms = 1", "oms = 1",
  ])
  func `a table that cannot be meant is refused`(_ text: String) {
    #expect(throws: SettingsError.self) { try table(text) }
  }

  @Test func `an offset that leaves the range is refused`() {
    #expect(throws: SettingsError.self) { try table("[services]\noms = 50060", offset: 20_000) }
  }
}
