import Calls
import Loop
import Synchronization
import TestKit
import Testing
import Transport

/// The echo service in plaintext, and a client that frames by hand.
struct HandFramedWorld: Sendable {
  let loop: EventLoop
  let service: EchoService
  let peer: HandFramedPeer
  private let nextStream = Box(Int32(1))

  private final class Box: Sendable {
    let value: Mutex<Int32>
    init(_ value: Int32) { self.value = Mutex(value) }
  }

  static func run(
    methods: [ServerMethod] = [],
    adjust: @escaping @Sendable (inout ServerConfiguration) -> Void =
      { _ in },
    _ body: @escaping @Sendable (HandFramedWorld) async throws -> Void
  ) async throws {
    try await withLoop { loop in
      let service = EchoService()
      var configuration = ServerConfiguration(
        address: .tcp(host: "127.0.0.1", port: 0), methods: service.methods + methods)
      configuration.plaintextPolicy = .everything
      adjust(&configuration)
      let server = Server(configuration, loop: loop)
      let peer = try await HandFramedPeer.connect(to: server.start(), loop: loop)
      let result: Result<Void, any Error>
      do {
        result = .success(
          try await body(HandFramedWorld(loop: loop, service: service, peer: peer)))
      } catch { result = .failure(error) }
      peer.close()
      await server.stop()
      try result.get()
    }
  }

  /// The fields of a call as gRPC wants them, in its order.
  static func fields(_ path: String) -> [WireField] {
    wire([
      (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "echo"),
      ("te", "trailers"), ("content-type", "application/grpc"),
    ])
  }

  /// One exchange to its end. `changes` replaces fields, adds those that are new, and takes away
  /// those that are nil; `body` nil is a request of headers alone.
  func ask(
    _ path: String = "/test.Echo/Unary", _ changes: [(String, String?)] = [],
    body: [UInt8]? = framed([1])
  ) async throws -> HandFramedPeer.Stream {
    var fields = Self.fields(path)
    for (name, value) in changes {
      let index = fields.firstIndex { $0.name == name }
      switch (index, value) {
      case (let index?, let value?): fields[index].value = Array(value.utf8)
      case (let index?, nil): fields.remove(at: index)
      case (nil, let value?): fields.append((name, Array(value.utf8)))
      case (nil, nil): break
      }
    }
    return try await ask(fields: fields, body: body)
  }

  func ask(fields: [WireField], body: [UInt8]?) async throws -> HandFramedPeer.Stream {
    let stream = nextStream.value.withLock { next in
      defer { next += 2 }
      return next
    }
    peer.sendHeaders(stream, fields, endsStream: body == nil)
    if let body { peer.sendData(stream, body, endsStream: true) }
    let isOver = await eventually { peer.streams[stream]?.isOver == true || peer.isClosed }
    try #require(isOver && !peer.isClosed, "the server did not answer")
    return peer.streams[stream]!
  }
}

extension HandFramedPeer.Stream {
  var status: Int? { text("grpc-status").flatMap { Int($0) } }
}
