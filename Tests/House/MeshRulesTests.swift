import Commands
import ServiceKit
import Testing

@Suite struct `Rules of the mesh` {
  private func ports() throws -> PortTable {
    try PortTable(reading: Tree.root.appendingPathComponent("ports.toml").path)
  }

  @Test func `every service of the catalog has a port, and all seventeen are named`() throws {
    let table = try ports()
    #expect(table.services.count == 17)
    for name in Catalog.names where table.port(of: name) == nil {
      Issue.record("\(name) is in the catalog and not in ports.toml")
    }
  }

  @Test func `a service folder and the catalog name each other`() throws {
    let folders = try Tree.folders("Sources/Services").map(kebab)
    let names = Catalog.names.map(\.text)
    #expect(Set(folders) == Set(names))
  }

  @Test func `every service has its page for operators`() throws {
    for name in Catalog.names {
      let page = try? Tree.text("docs/services/\(name).md")
      if page == nil { Issue.record("docs/services/\(name).md is missing") }
    }
  }

  @Test func `every service has the one shape`() throws {
    for folder in try Tree.folders("Sources/Services") {
      for file in ["Service.swift", "Handlers.swift"] {
        let text = try? Tree.text("Sources/Services/\(folder)/\(file)")
        // The gateway serves routes of others and has no calls of its own.
        if text == nil, !(folder == "Gateway" && file == "Handlers.swift") {
          Issue.record("Sources/Services/\(folder)/\(file) is missing")
        }
      }
    }
  }

  @Test func `compose runs every service of the catalog and no other`() throws {
    let compose = try Tree.text("docker/compose.yaml")
    for name in Catalog.names where !compose.contains("\n  \(name):\n") {
      Issue.record("docker/compose.yaml does not run \(name)")
    }
  }

  @Test func `no service imports another`() throws {
    for folder in try Tree.folders("Sources/Services") {
      for file in try Tree.files("Sources/Services/\(folder)") {
        for line in file.lines where line.contains("import ") && line.hasSuffix("Service") {
          Issue.record("\(file): \(line); services meet over Contracts")
        }
      }
    }
  }

  /// `MarketConnector` is `market-connector`, `OMS` is `oms`.
  private func kebab(_ folder: String) -> String {
    if folder.allSatisfy(\.isUppercase) { return folder.lowercased() }
    var name = ""
    for character in folder {
      if character.isUppercase, !name.isEmpty { name += "-" }
      name += character.lowercased()
    }
    return name
  }
}
