internal import ServiceKit

enum ListCommand {
  static let command = Command(
    CommandForm(
      "list", summary: "The services of this program: name, port, needs.",
      options: MeshOptions.finding)
  ) { arguments in
    let ports = try MeshOptions(arguments).ports()
    var rows = [["SERVICE", "PORT", "NEEDS", "WHAT IT IS"]]
    for entry in Catalog.services {
      let needs = entry.needs.map(\.text).joined(separator: ",")
      let port = ports.port(of: entry.name).map(String.init) ?? "-"
      rows.append([entry.name.text, port, needs.isEmpty ? "-" : needs, entry.summary])
    }
    Terminal.say(Terminal.table(rows))
    return 0
  }
}
