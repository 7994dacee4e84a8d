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

  static func ours(journal: String? = nil) throws -> Contender {
    let program = "/proc/self/exe"
    let arguments = [try realPath(program), EchoServer.command, "127.0.0.1:0"]
    let child = try Child(arguments + (journal.map { [$0] } ?? []), core: Cores.server)
    return Contender(name: "shrivenquant", port: try announcedPort(child), child: child)
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
