import ServiceKit
import Testing

@testable import Commands

@Suite struct `Rules of the docs` {
  private let ports: PortTable

  init() throws {
    ports = try PortTable(reading: Tree.place("ports.toml"))
  }

  private func page(_ name: ServiceName) -> String { "docs/services/\(name).md" }

  private func report(_ path: String, _ rule: String, _ remedy: String) {
    Violation(path: path, line: nil, rule: rule, remedy: remedy).record()
  }

  @Test func `every service has its page, with its port and its parts`() throws {
    let pages = Set(try Tree.files("docs/services", ["md"]).map(\.path))
    let expected = Set(Catalog.services.map { page($0.name) })
    for path in pages.symmetricDifference(expected).sorted() {
      report(path, "a page and a service of the catalog name each other", "write it, or remove it")
    }
    for entry in Catalog.services where pages.contains(page(entry.name)) {
      let text = try Tree.text(page(entry.name))
      let port = ports.port(of: entry.name) ?? 0
      if !text.contains("**\(port)**") {
        report(page(entry.name), "the page does not say port \(port)", "as ports.toml has it")
      }
      for part in ["## Calls", "## Settings", "## Metrics", "## When a neighbour dies", "On disk:"]
      where !text.contains(part) {
        report(page(entry.name), "the page lacks \"\(part)\"", "all pages have the same parts")
      }
    }
  }

  @Test func `a page's settings are those of the service`() throws {
    for (index, entry) in Catalog.services.enumerated() {
      let tables = try entry.check(SettingsSources(), ports)
      try requireRows(
        of: tables[0], in: page(entry.name), "shrivenquant check \(entry.name) --markdown")
      // The second table, [mesh], is the same for all.
      if index == 0 {
        try requireRows(of: tables[1], in: "docs/operating.md", "SettingsTable.markdown")
      }
    }
  }

  private func requireRows(of table: SettingsTable, in path: String, _ source: String) throws {
    let lines = Set(try Tree.text(path).split(separator: "\n"))
    for row in table.markdown.split(separator: "\n") where !lines.contains(row) {
      report(
        path, "a row of [\(table.section)] is missing or old: \(row)", "paste it from \(source)")
    }
  }

  @Test func `every call and every route is on the page of its service`() throws {
    let pages = try Tree.files("docs/services", ["md"])
    for service in try ProtoService.all() {
      guard
        let page = pages.first(where: { $0.lines.contains { $0.contains("`\(service.fullName)`") } }
        )
      else {
        report("docs/services", "no page names \(service.fullName)", "name it under ## Calls")
        continue
      }
      let text = page.lines.joined(separator: "\n")
      for call in service.calls where !text.contains("`\(call)`") {
        report(page.path, "the call \(call) is missing", "add a row under ## Calls")
      }
      for route in service.routes where !text.contains("`\(route)`") {
        report(page.path, "the route \(route) is missing", "add it to its call's row")
      }
    }
  }

  @Test func `every metric of a service carries its name and is on its page`() throws {
    for folder in try Tree.folders("Sources/Services") {
      let known = Catalog.services.first {
        $0.name.text.split(separator: "-").joined() == folder.lowercased()
      }
      guard let entry = known else { continue }
      let prefix = entry.name.text.split(separator: "-").joined(separator: "_") + "_"
      let text = try Tree.text(page(entry.name))
      for file in try Tree.files("Sources/Services/\(folder)") {
        for metric in Self.metrics(file) {
          // A name with an interpolation is written with <its label> on the page.
          let head = String(metric.prefix { $0 != "\\" })
          if !head.hasPrefix(prefix) {
            report(
              file.path, "the metric \(metric) is not named for its service", "begin with \(prefix)"
            )
          }
          if !text.contains("`\(head)") {
            report(
              page(entry.name), "the metric \(metric) is missing", "add a row under ## Metrics")
          }
        }
      }
    }
  }

  /// The first string after each `metrics.counter(` and its like.
  private static func metrics(_ file: Tree.File) -> [Substring] {
    let kinds = ["counter", "counters", "gauge", "gauges", "histogram", "histograms"]
    return file.lines.indices.compactMap { index in
      guard kinds.contains(where: { file.lines[index].contains("metrics.\($0)(") }) else {
        return nil
      }
      let line = file.lines[index].drop { $0 != "(" }
      let next = index + 1 < file.lines.count ? file.lines[index + 1] : ""
      let text = line.contains("\"") ? line : next
      return text.split(separator: "\"", omittingEmptySubsequences: false).dropFirst().first
    }
  }

  @Test func `the README names every port of the table`() throws {
    let text = try Tree.text("README.md")
    for (name, port) in ports.services where !text.contains("| \(name) | \(port) |") {
      report("README.md", "no row | \(name) | \(port) |", "ports.toml is the authority")
    }
  }

  @Test func `links lead somewhere`() throws {
    for file in try Tree.files("docs", ["md"]) + Tree.files("README.md", ["md"]) {
      let folder = file.path.split(separator: "/").dropLast().joined(separator: "/")
      for (index, line) in file.lines.enumerated() {
        for target in Self.links(line) {
          let path = folder.isEmpty ? String(target) : "\(folder)/\(target)"
          if !Tree.exists(path) {
            Violation(
              path: file.path, line: index + 1, rule: "\(target) leads nowhere",
              remedy: "a path from the file's own folder"
            ).record()
          }
        }
      }
    }
  }

  /// Targets of `[text](target)` on this machine, without their fragments.
  private static func links(_ line: Substring) -> [Substring] {
    line.split(separator: "](", omittingEmptySubsequences: false).dropFirst().compactMap { rest in
      let target = rest.prefix { $0 != ")" && $0 != "#" }
      return target.isEmpty || target.contains("://") ? nil : target
    }
  }

  @Test func `every make target in the docs is in the Makefile`() throws {
    let makefile = try Tree.text("Makefile")
    for file in try Tree.files("docs", ["md"]) + Tree.files("README.md", ["md"]) {
      for (index, line) in file.lines.enumerated() {
        for rest in line.split(separator: "make ", omittingEmptySubsequences: false).dropFirst() {
          let target = rest.prefix { $0.isLowercase || $0 == "-" }
          let before = line.prefix(upTo: rest.startIndex).dropLast("make ".count).last
          guard !target.isEmpty, before == nil || before == "`" else { continue }
          if !makefile.contains("\n\(target):") {
            Violation(
              path: file.path, line: index + 1, rule: "make \(target) does not exist",
              remedy: "make help lists what does"
            ).record()
          }
        }
      }
    }
  }

  @Test func `a contract's routes are read from its text`() throws {
    let services = ProtoService.read(
      """
      package a.v1;
      service S {
        rpc Get(GetRequest) returns (R) {
          option (google.api.http) = { get: "/v1/a/{id}" };
        }
        rpc Put(PutRequest) returns (R) {
          option (google.api.http) = { put: "/v1/a" body: "*" };
        }
      }
      """.split(separator: "\n", omittingEmptySubsequences: false))

    let service = try #require(services.first)
    #expect(service.fullName == "a.v1.S")
    #expect(service.calls == ["Get", "Put"])
    #expect(service.routes == ["GET /v1/a/{id}", "PUT /v1/a"])
  }
}
