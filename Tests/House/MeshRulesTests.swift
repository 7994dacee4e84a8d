import ServiceKit
import Testing

@testable import Commands

@Suite struct `Rules of the mesh` {
  private let catalog = Catalog.services
  private let ports: PortTable

  init() throws {
    ports = try PortTable(reading: Tree.place("ports.toml"))
  }

  private func port(_ name: ServiceName) -> String {
    ports.port(of: name).map(String.init) ?? "none"
  }

  @Test func `all seventeen services have a port, and the catalog knows no other`() {
    #expect(ports.services.count == 17)
    for entry in catalog where !ports.services.contains(where: { $0.name == entry.name }) {
      Violation(
        path: "ports.toml", line: nil, rule: "\(entry.name) is in the catalog and has no port",
        remedy: "give it one under [services]"
      ).record()
    }
  }

  @Test func `a service needs only services of the catalog, and nobody in a circle`() {
    var done: Set<ServiceName> = []
    var left = catalog
    while let next = left.first(where: { done.isSuperset(of: $0.needs) }) {
      done.insert(next.name)
      left.removeAll { $0.name == next.name }
    }
    for entry in left {
      Violation(
        path: "Sources/Apps/Commands/Catalog.swift", line: nil,
        rule: "\(entry.name) waits for \(entry.needs.filter { !done.contains($0) })",
        remedy: "needs must be in the catalog and lead back to discovery"
      ).record()
    }
  }

  @Test func `a service folder and the catalog name each other`() throws {
    let folders = Set(try Tree.folders("Sources/Services").map(Self.kebab))
    let names = Set(catalog.map(\.name.text))
    for name in folders.symmetricDifference(names).sorted() {
      Violation(
        path: folders.contains(name) ? "Sources/Services" : "Sources/Apps/Commands/Catalog.swift",
        line: nil, rule: "\(name) is in one of both only",
        remedy: "a service is a folder Services/<Name> and a line in the catalog"
      ).record()
    }
  }

  @Test func `every service has the one shape`() throws {
    for folder in try Tree.folders("Sources/Services") {
      for file in ["Service.swift", "Config.swift", "Handlers.swift"] {
        // The gateway answers for others and has no calls of its own.
        if folder == "Gateway", file == "Handlers.swift" { continue }
        let path = "Sources/Services/\(folder)/\(file)"
        if !Tree.exists(path) {
          Violation(
            path: path, line: nil, rule: "a service has the one shape",
            remedy: "Service.swift wires, Config.swift declares settings, Handlers.swift answers"
          ).record()
        }
      }
    }
  }

  @Test func `compose runs the catalog, on the ports of the table, in the order of needs`() throws {
    let path = "docker/compose.yaml"
    let compose = ComposeFile(try Tree.text(path))
    func report(_ rule: String, _ remedy: String) {
      Violation(path: path, line: nil, rule: rule, remedy: remedy).record()
    }
    let helpers: Set = ["mesh", "postgres", "prepare", "venue-sim"]
    let names = Set(catalog.map(\.name.text))
    for name in Set(compose.services.keys).symmetricDifference(names.union(helpers)).sorted() {
      report("\(name) is here or in the catalog, not in both", "one entry for each service")
    }
    for entry in catalog {
      guard let service = compose.services[entry.name.text] else { continue }
      let missing = Set(entry.needs.map(\.text)).subtracting(service.dependsOn)
      if !missing.isEmpty {
        report("\(entry.name) does not wait for \(missing.sorted())", "depends_on")
      }
      if !service.text.contains("\"run\", \"\(entry.name)\"") {
        report("\(entry.name) does not run itself", "command: [\"run\", \"\(entry.name)\", ...]")
      }
      if !service.text.contains("\"shrivenquant\", \"probe\", \"\(entry.name)\"") {
        report("\(entry.name) is not probed", "healthcheck by shrivenquant probe")
      }
    }
    let expected = Set(catalog.map { "127.0.0.1:\(port($0.name)):\(port($0.name))" })
    let published = Set(compose.services.values.flatMap(\.ports))
    for text in published.symmetricDifference(expected).sorted() {
      report("port \(text) is here or in ports.toml, not in both", "ports.toml is the authority")
    }
  }

  @Test func `Prometheus scrapes every port of the catalog`() throws {
    let path = "docker/prometheus.yml"
    let text = try Tree.text(path)
    for entry in catalog {
      let target =
        "- targets: [\"mesh:\(port(entry.name))\"]\n        labels: { service: \(entry.name) }"
      if !text.contains(target) {
        Violation(
          path: path, line: nil, rule: "\(entry.name) is not scraped", remedy: "add: \(target)"
        ).record()
      }
    }
  }

  @Test func `a test room stands where its source room stands`() throws {
    // Whole-system tests, and rooms that serve all tests, mirror nothing.
    let shared: Set = ["Benchmarks", "Fixtures", "Fuzz", "House", "Journeys", "Support"]
    for shelf in try Tree.folders("Tests") where !shared.contains(shelf) {
      let rooms = shelf.hasSuffix("Tests") ? [""] : try Tree.folders("Tests/\(shelf)")
      for room in rooms {
        let path = room.isEmpty ? "Tests/\(shelf)" : "Tests/\(shelf)/\(room)"
        var mirrored = "Sources" + path.dropFirst("Tests".count)
        if mirrored.hasSuffix("Tests") { mirrored.removeLast("Tests".count) }
        // One room may test a whole shelf: ServicesTests.
        if room == "\(shelf)Tests", !Tree.exists(mirrored) { mirrored = "Sources/\(shelf)" }
        if !room.isEmpty, !room.hasSuffix("Tests") || !Tree.exists(mirrored) {
          Violation(
            path: path, line: nil, rule: "it mirrors no source room (\(mirrored))",
            remedy: "Tests/<Shelf>/<Room>Tests for Sources/<Shelf>/<Room>"
          ).record()
        }
      }
    }
  }

  /// `MarketConnector` is `market-connector`, `OMS` is `oms`.
  private static func kebab(_ folder: String) -> String {
    if folder.allSatisfy(\.isUppercase) { return folder.lowercased() }
    var name = ""
    for character in folder {
      if character.isUppercase, !name.isEmpty { name += "-" }
      name += character.lowercased()
    }
    return name
  }
}
