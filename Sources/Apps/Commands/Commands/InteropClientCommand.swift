internal import Chrono
internal import Interop
internal import Loop
internal import Security
internal import ServiceKit
internal import Transport

enum InteropClientCommand {
  private static let names = InteropCase.allCases.map(\.rawValue)

  static let command = Command(
    CommandForm(
      "interop-client", summary: "The cases of grpc's interop tests, against any gRPC server.",
      options: [
        CommandForm.Option("--case", value: "NAME", "which (default all); list names them"),
        CommandForm.Option("--host", value: "HOST", "of the server (default 127.0.0.1)"),
        CommandForm.Option("--port", value: "PORT", "of the server"),
        CommandForm.Option("--tls", "over TLS; the server's certificate is checked"),
        CommandForm.Option(
          "--ca", value: "FILE", "authorities to trust, PEM (default: those of the machine)"),
        CommandForm.Option(
          "--server-name", value: "NAME", "whom the certificate must name (default: HOST)"),
        CommandForm.Option("--timeout", value: "TIME", "deadline of each call (default 30s)"),
        CommandForm.Option("--soak-iterations", value: "N", "of the soak cases (default 10)"),
        CommandForm.Option(
          "--soak-max-failures", value: "N", "more failed iterations fail a soak (default 0)"),
        CommandForm.Option(
          "--soak-max-latency", value: "TIME", "a slower iteration has failed (default 1s)"),
        CommandForm.Option(
          "--soak-timeout", value: "TIME", "of a whole soak (default: as all iterations may take)"),
        CommandForm.Option(
          "--consumer-pause", value: "TIME",
          "of slow_consumer after each tenth response (default 10ms)"),
      ],
      notes: """
        One line for each case. Exit code 0: all passed; 1: one did not; 2: the line was not understood.
        """)
  ) { arguments in
    let name = arguments.value("--case") ?? "all"
    if name == "list" {
      Terminal.say(Terminal.table(InteropCase.allCases.map { [$0.rawValue, $0.summary] }))
      return 0
    }
    let cases = try cases(name)
    let settings = try settings(arguments)
    let server = try InteropTarget(arguments)
    return try onLoop { loop in
      let (channel, close) = server.open(loop)
      defer { close() }
      let client = InteropClient(channel: channel, settings: settings, time: SystemTime()) {
        server.open(loop)
      }
      return await run(cases, client)
    }
  }

  private static func run(_ cases: [InteropCase], _ client: InteropClient) async -> Int32 {
    let width = cases.map(\.rawValue.count).max() ?? 0
    var code: Int32 = 0
    for test in cases {
      let name = test.rawValue + String(repeating: " ", count: width - test.rawValue.count)
      let began = SystemTime().uptime
      do throws(InteropFault) {
        try await client.run(test)
        let took = (SystemTime().uptime - began).wholeNanoseconds / 1_000
        Terminal.say("\(name)  ok  \(took / 1_000).\(took / 100 % 10) ms")
      } catch {
        Terminal.say("\(name)  FAILED  \(error)")
        code = 1
      }
    }
    return code
  }

  private static func cases(_ name: String) throws(UsageError) -> [InteropCase] {
    if name == "all" { return InteropCase.allCases }
    guard let test = InteropCase(rawValue: name) else {
      throw UsageError(
        "there is no case \"\(name)\"\(suggestion(for: name, among: names + ["all", "list"])) "
          + "(--case list shows them)")
    }
    return [test]
  }

  private static func settings(_ arguments: Arguments) throws(UsageError) -> InteropSettings {
    var settings = InteropSettings()
    settings.callTimeMax = try time("--timeout", arguments) ?? settings.callTimeMax
    settings.soakIterations = try arguments.int(
      "--soak-iterations", in: 1...10_000_000, default: settings.soakIterations)
    settings.soakFailuresMax = try arguments.int(
      "--soak-max-failures", in: 0...10_000_000, default: settings.soakFailuresMax)
    settings.soakLatencyMax = try time("--soak-max-latency", arguments) ?? settings.soakLatencyMax
    settings.soakTimeMax = try time("--soak-timeout", arguments)
    settings.consumerPause = try time("--consumer-pause", arguments) ?? settings.consumerPause
    return settings
  }

  private static func time(
    _ option: String, _ arguments: Arguments
  ) throws(UsageError) -> Duration? {
    guard let text = arguments.value(option) else { return nil }
    guard let time = DurationText.parse(text), time > .zero else {
      throw UsageError("\(option) is \"\(text)\": a time such as 500ms is expected")
    }
    return time
  }
}

/// The server of `interop-client`, and how to reach it.
private struct InteropTarget: Sendable {
  private let address: Address
  private let name: String
  private var options = ChannelOptions()

  init(_ arguments: Arguments) throws {
    guard arguments.has("--port") else { throw UsageError("--port PORT is missing") }
    let port = try arguments.int("--port", in: 1...65_535, default: 0)
    let host = arguments.value("--host") ?? "127.0.0.1"
    address = .tcp(host: host, port: port)
    let serverName = arguments.value("--server-name")
    guard arguments.has("--tls") else {
      guard serverName == nil, !arguments.has("--ca") else {
        throw UsageError("--ca and --server-name are for --tls")
      }
      name = address.description
      return
    }
    name = serverName ?? address.description
    let trust: Trust = try arguments.value("--ca").map { .authorities(try readText($0)) } ?? .system
    options.tls = try .client(nil, trust: trust, alpn: .h2)
    options.expectation = .host(serverName ?? host)
  }

  func open(_ loop: EventLoop) -> InteropClient.Opened {
    let channel = NetworkChannel(to: name, at: [address], options: options, loop: loop)
    return (channel, { channel.close() })
  }
}
