internal import ServiceKit

enum TokenCommand {
  static let command = Command(
    CommandForm(
      "token", summary: "Prints a bearer token of one of the first users, and nothing else.",
      options: MeshOptions.finding + [
        CommandForm.Option("--user", value: "NAME", "admin (default), trader or viewer")
      ],
      notes: """
          curl -H "Authorization: Bearer $(shrivenquant token)" http://127.0.0.1:8080/v1/orders
        """)
  ) { arguments in
    let user = arguments.value("--user") ?? "admin"
    let mesh = try OperatorChannel(MeshOptions(arguments))
    return try onLoop { loop in
      Terminal.say(try await mesh.token(of: user, loop))
      return 0
    }
  }
}
