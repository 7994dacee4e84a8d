internal import ServiceKit

enum CheckCommand {
  static let command = Command(
    CommandForm(
      "check", operands: "SERVICE", 1...1,
      summary: "Loads and checks the settings of one service, and shows them.",
      options: MeshOptions.all + [
        CommandForm.Option("--markdown", "the table of its settings, as in docs/services")
      ],
      notes: "Exit code 0: the service would start with them; 1: all that is wrong is listed.")
  ) { arguments in
    let entry = try Catalog.entry(arguments.operands[0])
    let options = try MeshOptions(arguments)
    let tables = try entry.check(options.sources(), options.ports())
    if arguments.has("--markdown") {
      Terminal.write(tables[0].markdown, to: 1)
    } else {
      Terminal.write(tables.map(\.plain).joined(separator: "\n"), to: 1)
    }
    return 0
  }
}
