import Calls
import Loop
import Transport

extension FuzzTarget {
  /// Whatever a client sends, the server answers with whole frames, the first one its SETTINGS, closes
  /// when the client has nothing more to say, and serves the next client as it served the first.
  static func http2Server() async throws -> FuzzTarget {
    let port = try await startServer()
    return FuzzTarget(
      name: "http2-server", seeds: serverSeeds.map { Frames.preface + $0 },
      words: [
        "\0\0\0\u{04}\0\0\0\0\0", "\0\0\0\u{01}\u{05}\0\0\0\u{03}",
        "\0\0\u{04}\u{03}\0\0\0\0\u{01}", "\0\0\u{08}\u{06}\0\0\0\0\0",
        "\0\0\u{04}\u{08}\0\0\0\0\0", "\u{7F}", "grpc-timeout",
      ]
    ) { bytes in
      guard let said = exchange(bytes, port) else {
        return Verdict(signature: "", fault: "the connection was not closed")
      }
      let kinds = said.isEmpty ? [] : Frames.kinds(of: said)
      // Other first bytes than the preface are HTTP/1.1.
      if bytes.starts(with: Frames.preface), kinds?.first != "4" {
        return Verdict(signature: "", fault: "what was said is no frames: \(said.prefix(100))")
      }
      // Now and then, chosen by the input so that it happens again with it.
      if bytes.count % 32 == 0, let fault = fault(of: exchange(healthy, port)) {
        return Verdict(signature: "", fault: fault)
      }
      return Verdict(signature: (kinds ?? ["http1"]).prefix(12).joined(separator: ","))
    }
  }

  private static let healthy =
    Frames.preface + Frames.settings + Frames.frame(1, 4, 1, Frames.call("/test.Fuzz/Echo"))
    + Frames.frame(0, 1, 1, framed([1, 2, 3])) + Frames.settingsTaken

  private static func fault(of said: [UInt8]?) -> String? {
    let kinds = said.flatMap(Frames.kinds) ?? []
    return kinds.filter { $0 == "1" }.count == 2 && kinds.contains("0")
      ? nil : "the next client was told \(kinds)"
  }

  private static let serverSeeds: [[UInt8]] = [
    Frames.settings + Frames.frame(1, 4, 1, Frames.call("/test.Fuzz/Echo"))
      + Frames.frame(0, 1, 1, framed([1, 2, 3])) + Frames.settingsTaken,
    Frames.settings
      + Frames.frame(1, 4, 1, Frames.call("/test.Fuzz/Chat", [("grpc-timeout", "1S")]))
      + Frames.frame(0, 0, 1, framed([1]) + framed([2])) + Frames.frame(8, 0, 0, [0, 0, 1, 0])
      + Frames.frame(0, 1, 1, framed([])),
    // A head in three frames, padded DATA, priority, ping, an unknown frame.
    Frames.settings + Frames.frame(1, 0, 1, Array(Frames.call("/test.Fuzz/Echo")[..<10]))
      + Frames.frame(9, 0, 1, Array(Frames.call("/test.Fuzz/Echo")[10..<40]))
      + Frames.frame(9, 4, 1, Array(Frames.call("/test.Fuzz/Echo")[40...]))
      + Frames.frame(0, 9, 1, [3] + framed([5]) + [0, 0, 0]),
    Frames.settings + Frames.frame(2, 0, 3, [0, 0, 0, 0, 16])
      + Frames.frame(6, 0, 0, [UInt8](repeating: 7, count: 8)) + Frames.frame(0x42, 0, 0, [1]),
    Frames.frame(4, 0, 0, [0, 4, 0, 0, 0, 10, 0, 5, 0, 0, 0x40, 0, 0, 1, 0, 0, 0, 0])
      + Frames.frame(
        1, 5, 1, Frames.fields([(":method", "GET"), (":scheme", "http"), (":path", "/")])),
    Frames.settings + Frames.frame(1, 4, 1, Frames.call("/test.Fuzz/Chat"))
      + Frames.frame(3, 0, 1, [0, 0, 0, 8])
      + Frames.frame(7, 0, 0, [UInt8](repeating: 0, count: 8)),
    Frames.settings
      + Frames.frame(1, 5, 1, [0x82, 0x86, 0x84, 0x41, 0x01, 0x78, 0x3f, 0xe1, 0x1f]),
  ]

  private static func exchange(_ bytes: [UInt8], _ port: Int) -> [UInt8]? {
    guard let socket = LoopbackSocket.connected(to: port) else { return nil }
    socket.sendAndFinish(bytes)
    return socket.readToEnd()
  }

  /// A server of this process, on a loop of its own; it serves as long as the process lives.
  private static func startServer() async throws -> Int {
    let loop = EventLoop(name: "fuzzed")
    _ = loop.start()
    var configuration = ServerConfiguration(
      address: .tcp(host: "127.0.0.1", port: 0),
      methods: [
        ServerMethod(fuzzedMethod("Echo", .unary), .unary { request, _ in request }),
        ServerMethod(
          fuzzedMethod("Chat", .bidirectionalStreaming),
          .streaming { requests, responses, _ in
            while let request = try await requests.next() { try await responses.send(request) }
          }),
      ])
    configuration.plaintextPolicy = .everything
    let server = Server(configuration, loop: loop)
    guard case .tcp(_, let port) = try await server.start() else { return 0 }
    // Kept for good: a server that is let go of serves nobody.
    _ = Unmanaged.passRetained(server)
    return port
  }

  static func fuzzedMethod(_ name: String, _ shape: CallShape) -> MethodDescriptor {
    MethodDescriptor(
      service: "test.Fuzz", name: name, shape: shape, scope: .anonymous, isIdempotent: false,
      request: "test.Bytes", response: "test.Bytes")
  }
}
