internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import ServiceKit
internal import Transcoding
internal import Transport

enum CallCommand {
  static let command = Command(
    CommandForm(
      "call", operands: "SERVICE/METHOD ['{json}'...]", 1...1000,
      summary: "Any RPC from the shell, with the operator's certificate.",
      options: MeshOptions.finding + [
        CommandForm.Option("--user", value: "NAME", "on behalf of admin, trader or viewer"),
        CommandForm.Option("--token", value: "TOKEN", "on behalf of this bearer token's user"),
        CommandForm.Option("--to", value: "SERVICE", "another port than the contract's service"),
        CommandForm.Option(
          "--timeout", value: "TIME", "deadline of the call (default 10s; streams: none)"),
        CommandForm.Option("--messages", letter: "-n", value: "N", "ends a stream after N answers"),
      ],
      notes: """
          shrivenquant call oms/ListOrders '{"pageSize": 5}'
          shrivenquant call OrderbookService/StreamBook '{"symbol": "BTCUSDT"}' -n 3

        SERVICE is a service of ports.toml or a full name of the contracts; several JSON texts are \
        several requests of a stream. Each answer is one line of JSON. Exit code 1: the call failed, \
        its error is on standard error as JSON.
        """)
  ) { arguments in
    let method = try MethodName.find(arguments.operands[0], in: ContractCatalog.methods)
    let target = try ServiceName(arguments.value("--to") ?? MethodName.service(of: method))
    var requests = try arguments.operands.dropFirst().map { json in
      do throws(RPCError) {
        return try JSONCodec.decode(method.request, Array(json.utf8))
      } catch {
        throw UsageError("the request is no \(method.request): \(error.message)")
      }
    }
    if requests.isEmpty { requests = [[]] }
    guard requests.count == 1 || method.shape.requestsStream else {
      throw UsageError("\(method.name) takes one request")
    }
    let count = try arguments.int("--messages", in: 1...Int.max, default: Int.max)
    let timeout = try timeout(arguments, method)
    let mesh = try OperatorChannel(MeshOptions(arguments))
    let all = requests
    return try onLoop { loop in
      var options = CallOptions()
      if let timeout { options.deadline = loop.uptime + timeout }
      var token = arguments.value("--token")
      if let user = arguments.value("--user") { token = try await mesh.token(of: user, loop) }
      if let token { options.metadata.add("authorization", "Bearer \(token)") }
      let channel = try mesh.channel(to: target, loop)
      defer { channel.close() }
      return await run(channel, method, all, options, messages: count)
    }
  }

  private static func timeout(
    _ arguments: Arguments, _ method: MethodDescriptor
  ) throws -> Duration? {
    guard let text = arguments.value("--timeout") else {
      return method.shape.responsesStream ? nil : .seconds(10)
    }
    guard let time = DurationText.parse(text), time > .zero else {
      throw UsageError("--timeout is \"\(text)\": a time such as 500ms is expected")
    }
    return time
  }

  private static func run(
    _ channel: NetworkChannel, _ method: MethodDescriptor, _ requests: [[UInt8]],
    _ options: CallOptions, messages: Int
  ) async -> Int32 {
    do throws(RPCError) {
      let stream = try await channel.open(method, options)
      for request in requests { try await stream.send(request) }
      try await stream.finishSending()
      var count = 0
      while let message = try await stream.next() {
        let json = try JSONCodec.encode(method.response, message)
        Terminal.say(String(decoding: json, as: UTF8.self))
        count += 1
        if count >= messages, method.shape.responsesStream {
          stream.cancel()
          break
        }
      }
      return 0
    } catch {
      Terminal.complain(String(decoding: ErrorBody.json(error), as: UTF8.self))
      return 1
    }
  }
}

/// Names of methods as people write them.
enum MethodName {
  /// `oms/GetOrder`, `OrderService/GetOrder` or `shrivenquant.oms.v1.OrderService/GetOrder`.
  static func find(
    _ text: String, in methods: [MethodDescriptor]
  ) throws(UsageError) -> MethodDescriptor {
    let parts = text.split(separator: "/").map(String.init)
    guard parts.count == 2 else { throw UsageError("\(text): write SERVICE/METHOD") }
    let candidates = methods.filter { matches($0, parts[0]) }
    guard !candidates.isEmpty else {
      let known = Set(methods.map(\.service)).sorted() + Catalog.names
      throw UsageError(
        "the contracts have no service \"\(parts[0])\"\(suggestion(for: parts[0], among: known))")
    }
    guard let method = candidates.first(where: { $0.name == parts[1] }) else {
      let known = candidates.map(\.name)
      throw UsageError(
        "\(parts[0]) has no method \"\(parts[1])\"\(suggestion(for: parts[1], among: known)); "
          + "it has \(known.joined(separator: ", "))")
    }
    return method
  }

  private static func matches(_ method: MethodDescriptor, _ name: String) -> Bool {
    if method.service == name || method.service.hasSuffix("." + name) { return true }
    return folder(of: method).map { services(in: $0).contains(name) } ?? false
  }

  /// `oms` of `shrivenquant.oms.v1.OrderService`.
  private static func folder(of method: MethodDescriptor) -> String? {
    let parts = method.service.split(separator: ".")
    return parts.count == 4 && parts[0] == "shrivenquant" ? String(parts[1]) : nil
  }

  /// The services whose contract is in a folder of Protos: their name is the folder's or begins with it
  /// (`risk-manager` has `risk`).
  private static func services(in folder: String) -> [String] {
    Catalog.names.filter { $0 == folder || $0.hasPrefix(folder + "-") }
  }

  /// The service that serves a method.
  static func service(of method: MethodDescriptor) throws(UsageError) -> String {
    if let folder = folder(of: method), let name = services(in: folder).first { return name }
    throw UsageError("which service serves \(method.service) is not plain: say --to SERVICE")
  }
}
