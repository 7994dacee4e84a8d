/// A compose file as far as the rules of the mesh look into it, read by its indentation: names at two
/// blanks below `services:`, what they depend on, the host ports.
struct ComposeFile: Sendable {
  private(set) var services: [String: Service] = [:]

  struct Service: Sendable {
    var dependsOn: Set<String> = []
    var ports: [String] = []
    var text = ""
  }

  init(_ text: String) {
    var section = ""
    var name = ""
    var key = ""
    for line in text.split(separator: "\n") {
      let content = line.drop { $0 == " " }
      let depth = line.count - content.count
      guard !content.hasPrefix("#") else { continue }
      if depth == 0 { section = String(content.prefix { $0 != ":" }) }
      guard section == "services" else { continue }
      if depth == 2 {
        name = String(content.prefix { $0 != ":" })
        services[name] = Service()
      } else if depth > 2 {
        services[name]?.text += line + "\n"
      }
      if depth == 4 { key = String(content.prefix { $0 != ":" }) }
      guard depth == 6 else { continue }
      if key == "depends_on" {
        services[name]?.dependsOn.insert(String(content.prefix { $0 != ":" }))
      }
      if key == "ports" {
        services[name]?.ports.append(
          String(content.drop { $0 != "\"" }.dropFirst().prefix { $0 != "\"" }))
      }
    }
  }
}
