internal import ServiceKit

enum RunCommand {
  static let command = Command(
    CommandForm(
      "run", operands: "SERVICE", 1...1, summary: "One service, in the foreground until SIGTERM.",
      options: MeshOptions.all + [
        CommandForm.Option(
          "--supervised", value: "PID", "end when this process, which started it, ends")
      ],
      notes: """
        The state folder must have the service's certificate (pki/), which `up` makes. A service that \
        keeps a database needs SHRIVENQUANT_DATABASE_URL.
        """)
  ) { arguments in
    let entry = try Catalog.entry(arguments.operands[0])
    if let supervisor = arguments.value("--supervised").flatMap({ Int32($0) }) {
      dieWith(supervisor: supervisor)
    }
    let options = try MeshOptions(arguments)
    return entry.run(
      ProcessOptions(
        state: options.state, ports: try options.ports(), sources: try options.sources()))
  }
}
