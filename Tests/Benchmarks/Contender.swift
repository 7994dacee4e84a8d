import Calls
import Contracts
import Loop
import Transport
import Wire

/// A server that takes part in a comparison, in a process of its own on the server's core.
final class Contender {
  let name: String
  let port: Int
  let child: Child
  private(set) var rounds: [LoadRound] = []
  private var processor: Double = 0

  init(name: String, port: Int, child: Child) {
    self.name = name
    self.port = port
    self.child = child
  }

  /// `options` are those of `EchoServerOptions`; `program` is this one, or a tool that runs it.
  static func ours(
    _ options: [String] = [], at address: String = "127.0.0.1:0", program: [String]? = nil
  ) throws -> Contender {
    let words = try program ?? [realPath("/proc/self/exe")]
    let child = try Child(
      words + [EchoServer.command, address] + options, core: Cores.server, silent: program != nil)
    return Contender(name: "shrivenquant", port: try announcedPort(child), child: child)
  }

  /// Serves the files of a folder; `credentials` are PEM files, without them it speaks plaintext.
  static func nghttpd(
    files: String, credentials: ServerFiles? = nil, under tool: [String] = []
  ) throws -> Contender {
    let port = try freePort()
    var words = tool + ["nghttpd", "-a", "127.0.0.1", "-d", files]
    if credentials == nil { words.append("--no-tls") }
    words.append(String(port))
    if let credentials { words += [credentials.key, credentials.certificate] }
    let child = try Child(words, core: Cores.server, silent: true)
    try waitForListener(port, child)
    return Contender(name: "nghttpd", port: port, child: child)
  }

  /// The line `ready PORT`.
  static func announcedPort(_ child: Child) throws -> Int {
    guard let line = child.readLine(), line.hasPrefix("ready "), let port = Int(line.dropFirst(6))
    else { throw Broken("the server did not say that it is ready") }
    return port
  }

  /// Asks with our own client whether an echo comes back as it was sent.
  func checkEcho() throws {
    let port = port
    try onLoop { loop in
      let channel = plainChannel(port, loop)
      defer { channel.close() }
      var options = CallOptions()
      options.waitsForReady = true
      let answer = try await channel.unary(
        EchoServer.unary, EchoServer.message, options, as: GoogleProtobuf.StringValue.self)
      guard answer == EchoServer.message else { throw Broken("the echo on \(port) differs") }
    }
  }

  /// One round of load; the rounds of several contenders are interleaved by the caller.
  func takeRound(_ load: Load, path: String, body: String) throws {
    let before = child.processorMicroseconds
    let round = try load.run(port: port, path: path, body: body)
    processor += child.processorMicroseconds - before
    rounds.append(round)
  }

  var requestsPerSecond: Double { rounds.map(\.requestsPerSecond).median }

  /// Of the server, per request, over all rounds.
  var processorMicroseconds: Double {
    processor / Double(max(1, rounds.reduce(0) { $0 + $1.requests }))
  }

  /// Ends our server, which then says how often it allocated; per operation.
  func allocationsAtEnd() -> Double? {
    child.closeInput()
    let words = (child.readLine() ?? "").split(separator: " ")
    child.wait()
    guard words.count == 4, let operations = Double(words[1]), let allocations = Double(words[3]),
      operations > 0
    else { return nil }
    return allocations / operations
  }
}

func plainChannel(_ port: Int, _ loop: EventLoop) -> NetworkChannel {
  NetworkChannel(
    to: "benchmark", at: [.tcp(host: "127.0.0.1", port: port)], options: ChannelOptions(),
    loop: loop
  )
}
