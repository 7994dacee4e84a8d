internal import ServiceKit
internal import Transport

enum ProbeCommand {
  static let command = Command(
    CommandForm(
      "probe", operands: "SERVICE|HOST:PORT", 1...1,
      summary: "Asks a port for its health over plaintext gRPC.",
      options: MeshOptions.finding + [
        CommandForm.Option("--timeout", value: "TIME", "how long to wait (default 2s)")
      ],
      notes: "Exit code 0: SERVING; 1: it answers and does not serve; 2: nothing answers.")
  ) { arguments in
    let timeText = arguments.value("--timeout") ?? "2s"
    guard let time = DurationText.parse(timeText), time > .zero else {
      throw UsageError("--timeout is \"\(timeText)\": a time such as 500ms is expected")
    }
    let address = try target(arguments)
    return try onLoop { loop in
      let finding = await HealthProbe.ask(address, within: time, loop: loop)
      Terminal.say(finding.text)
      switch finding {
      case .serving: return 0
      case .notServing: return 1
      case .unreachable(let why):
        Terminal.complain("\(address): \(why)")
        return 2
      }
    }
  }

  private static func target(_ arguments: Arguments) throws -> Address {
    let name = arguments.operands[0]
    if name.contains(":") {
      guard let address = Address(name) else { throw UsageError("\(name) is no HOST:PORT") }
      return address
    }
    let ports = try MeshOptions(arguments).ports()
    guard let port = ports.port(of: ServiceName(name)) else {
      let known = ports.services.map(\.name.text)
      throw UsageError("ports.toml has no \"\(name)\"\(suggestion(for: name, among: known))")
    }
    return .tcp(host: "127.0.0.1", port: port)
  }
}
