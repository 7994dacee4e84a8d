internal import ServiceKit

/// Every service's settings, before anything starts: a wrong one would end its service again and
/// again, and the mesh would wait for it.
enum SettingsCheck {
  /// Throws all that is wrong, each once, with the service that says so; what every service says is
  /// said without a name.
  static func refuse(_ options: MeshOptions) throws {
    let (sources, ports) = (try options.sources(), try options.ports())
    var problems: [(text: String, services: [ServiceName])] = []
    for service in Catalog.services {
      do {
        _ = try service.check(sources, ports)
      } catch let error as SettingsError {
        for text in error.problems {
          if let known = problems.firstIndex(where: { $0.text == text }) {
            problems[known].services.append(service.name)
          } else {
            problems.append((text, [service.name]))
          }
        }
      }
    }
    guard !problems.isEmpty else { return }
    let lines = problems.map { problem in
      problem.services.count == Catalog.services.count
        ? problem.text
        : problem.services.map(\.text).joined(separator: ", ") + ": " + problem.text
    }
    throw CommandError("nothing was started:\n" + lines.map { "  \($0)" }.joined(separator: "\n"))
  }
}
