import Bytes
import Calls
import Chrono
import Loop
import Synchronization
import TestKit
import Testing

@testable import Transport

/// gRPC over HTTP/2 to the letter, as a client meets it: a server that frames by hand answers.
@Suite struct `Call semantics of the client` {
  /// What the server does when the head of a call has come.
  typealias Script = @Sendable (HandFramedPeer, Int32) -> Void

  private static let head = wire([(":status", "200"), ("content-type", "application/grpc")])

  /// The error of a unary call that is answered so; nil when it went well.
  private static func error(
    method: MethodDescriptor = EchoService.fail, options: CallOptions = CallOptions(),
    adjust: @escaping @Sendable (inout ChannelOptions) -> Void = { _ in }, script: @escaping Script
  ) async throws -> RPCError? {
    try await withServer(adjust, script) { channel, _ in await channel.error(method, options) }
  }

  private static func withServer<R: Sendable>(
    _ adjust: @escaping @Sendable (inout ChannelOptions) -> Void = { _ in },
    _ script: @escaping Script,
    _ body: @escaping @Sendable (NetworkChannel, @Sendable () -> HandFramedPeer?) async throws -> R
  ) async throws -> R {
    try await withLoop { loop in
      let peers = Peers()
      let listener = try Listener(.tcp(host: "127.0.0.1", port: 0), loop: loop) { connection in
        let peer = HandFramedPeer(isClient: false) { script($0, $1) }
        peer.attach(connection)
        peers.list.withLock { $0.append(peer) }
      }
      var options = ChannelOptions()
      adjust(&options)
      let channel = NetworkChannel(
        to: "echo", at: [listener.address], options: options, loop: loop)
      let result: Result<R, any Error>
      do {
        result = .success(try await body(channel, { peers.list.withLock { $0.last } }))
      } catch { result = .failure(error) }
      channel.close()
      listener.close()
      for peer in peers.list.withLock({ $0 }) { peer.close() }
      return try result.get()
    }
  }

  private final class Peers: Sendable {
    let list = Mutex<[HandFramedPeer]>([])
  }

  // MARK: Answers that are no gRPC

  private static let statuses: [(String, StatusCode)] = [
    ("400", .internalError), ("401", .unauthenticated), ("403", .permissionDenied),
    ("404", .unimplemented), ("429", .unavailable), ("431", .internalError), ("502", .unavailable),
    ("503", .unavailable), ("504", .unavailable), ("200", .unknown), ("204", .unknown),
    ("302", .unknown), ("405", .unknown), ("408", .unknown), ("415", .unknown), ("500", .unknown),
    ("501", .unknown),
  ]

  @Test(arguments: [false, true])
  func `an HTTP status without a gRPC status is mapped`(hasBody: Bool) async throws {
    for (status, code) in Self.statuses {
      let error = try await Self.error { peer, stream in
        peer.sendHeaders(
          stream, wire([(":status", status), ("content-type", "text/html")]), endsStream: !hasBody)
        if hasBody { peer.sendData(stream, Array("<html>".utf8), endsStream: true) }
      }
      #expect(error?.code == code, "\(status): \(error as Any)")
      #expect(error?.message.contains("HTTP status \(status) with text/html") == true)
    }
  }

  @Test func `a proxy that answers in HTTP/1.1 makes the server UNAVAILABLE`() async throws {
    let answer =
      "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\noops"
    let error = try await Self.error { peer, _ in peer.send(Array(answer.utf8)) }
    #expect(error?.code == .unavailable)
  }

  @Test func `a gRPC status is believed whatever the HTTP status`() async throws {
    for status in ["200", "404", "503"] {
      let error = try await Self.error { peer, stream in
        peer.sendHeaders(
          stream,
          wire([
            (":status", status), ("content-type", "text/plain"), ("grpc-status", "9"),
            ("grpc-message", "caf%C3%A9 %zz"),
          ]), endsStream: true)
      }
      #expect(error == RPCError(.failedPrecondition, "café %zz"), "\(status)")
    }
  }

  @Test func `informational heads are passed over`() async throws {
    let error = try await Self.error { peer, stream in
      for status in ["100", "103"] {
        peer.sendHeaders(stream, wire([(":status", status), ("x", "y")]), endsStream: false)
      }
      peer.sendHeaders(stream, Self.head, endsStream: false)
      peer.sendData(stream, framed([1]), endsStream: false)
      peer.sendHeaders(stream, wire([("grpc-status", "0")]), endsStream: true)
    }
    #expect(error == nil)
  }

  // MARK: Ends

  private static let ends: [(String, [WireField]?, StatusCode)] = [
    ("every field", wire([("grpc-status", "0")]), .ok),
    ("no status", wire([("x", "y")]), .unknown),
    ("no trailers", nil, .unknown),
    ("a status that is no number", wire([("grpc-status", "ok")]), .unknown),
    ("an empty status", wire([("grpc-status", "")]), .unknown),
    ("a status of tomorrow", wire([("grpc-status", "99")]), .unknown),
    ("a large status", wire([("grpc-status", "16")]), .unauthenticated),
  ]

  @Test func `trailers say how a call ended; without a status it is UNKNOWN`() async throws {
    for (what, trailers, code) in Self.ends {
      let error = try await Self.error { peer, stream in
        peer.sendHeaders(stream, Self.head, endsStream: false)
        peer.sendData(stream, framed([1]), endsStream: trailers == nil)
        if let trailers { peer.sendHeaders(stream, trailers, endsStream: true) }
      }
      #expect(error?.code ?? .ok == code, "\(what): \(error as Any)")
    }
  }

  @Test func `an answer of trailers only ends the call, well or not`() async throws {
    for code in StatusCode.allCases {
      let error = try await Self.error { peer, stream in
        peer.sendHeaders(
          stream, Self.head + wire([("grpc-status", "\(code.rawValue)"), ("grpc-message", "m")]),
          endsStream: true)
      }
      // OK without a message is no answer to a unary call.
      #expect(error?.code == (code == .ok ? .internalError : code))
    }
    let count = try await Self.withServer({ _ in }) { peer, stream in
      peer.sendHeaders(stream, Self.head + wire([("grpc-status", "0")]), endsStream: true)
    } _: { channel, _ in
      let call = try await channel.open(EchoService.chat, CallOptions())
      return try await call.next() == nil
    }
    #expect(count)
  }

  private static let resets: [(UInt32, StatusCode)] = [
    (0x0, .internalError), (0x1, .internalError), (0x2, .internalError), (0x3, .internalError),
    (0x4, .internalError), (0x5, .internalError), (0x6, .internalError), (0x7, .unavailable),
    (0x8, .cancelled), (0x9, .internalError), (0xa, .internalError), (0xb, .resourceExhausted),
    (0xc, .permissionDenied), (0xd, .internalError), (0xff, .internalError),
  ]

  @Test(arguments: [false, true]) func `a reset is mapped`(afterHead: Bool) async throws {
    for (code, status) in Self.resets {
      let error = try await Self.error { peer, stream in
        if afterHead { peer.sendHeaders(stream, Self.head, endsStream: false) }
        peer.sendReset(stream, code)
      }
      #expect(error?.code == status, "\(code): \(error as Any)")
    }
  }

  @Test func `who is answered before the request's end says that nothing is left to send`()
    async throws
  {
    try await Self.withServer({ _ in }) { peer, stream in
      peer.sendHeaders(stream, Self.head + wire([("grpc-status", "5")]), endsStream: true)
    } _: { channel, peer in
      let call = try await channel.open(EchoService.chat, CallOptions())
      await #expect(throws: RPCError.self) { try await call.next() }
      #expect(await eventually { peer()?.streams[1]?.reset != nil })
      #expect(peer()?.streams[1]?.reset == 0)
    }
  }

  // MARK: Messages

  @Test func `RPC-09 what cannot be read ends the call`() async throws {
    let zeros = Gzip.compress([UInt8](repeating: 0, count: 1_000_000))
    let table: [(String, String?, [UInt8], StatusCode)] = [
      ("gzip", "gzip", framed(Gzip.compress([1]), flags: 1), .ok),
      ("not packed although it might be", "gzip", framed([1]), .ok),
      ("an encoding we do not know", "snappy", framed([1]), .internalError),
      ("packed without an encoding", nil, framed(Gzip.compress([1]), flags: 1), .internalError),
      ("packed in identity", "identity", framed([1], flags: 1), .internalError),
      ("damaged", "gzip", framed([1, 2, 3], flags: 1), .internalError),
      ("a flag that means nothing", "gzip", framed([1], flags: 4), .internalError),
      ("half a message", nil, [0, 0, 0, 0, 5, 1], .internalError),
      ("two messages", nil, framed([1]) + framed([2]), .internalError),
      ("no message", nil, [], .internalError),
      ("too large", nil, framed([UInt8](repeating: 1, count: 2_001)), .resourceExhausted),
      ("too large by its length", nil, [0, 255, 0, 0, 0], .resourceExhausted),
      ("too large when unpacked", "gzip", framed(zeros, flags: 1), .resourceExhausted),
    ]
    for (what, encoding, body, code) in table {
      let error = try await Self.error {
        $0.messageBytesMax = 2_000
      } script: { peer, stream in
        let encodings = encoding.map { wire([("grpc-encoding", $0)]) } ?? []
        peer.sendHeaders(stream, Self.head + encodings, endsStream: false)
        peer.sendData(stream, body, endsStream: false)
        peer.sendHeaders(stream, wire([("grpc-status", "0")]), endsStream: true)
      }
      #expect(error?.code ?? .ok == code, "\(what): \(error as Any)")
    }
  }

  @Test func `RPC-09 headers and requests over a limit are RESOURCE_EXHAUSTED`() async throws {
    for inTrailers in [false, true] {
      let error = try await Self.error {
        $0.headerBytesMax = 10_000
      } script: { peer, stream in
        let large = wire([("x-large", String(repeating: "x", count: 10_000))])
        peer.sendHeaders(stream, Self.head + (inTrailers ? [] : large), endsStream: false)
        peer.sendData(stream, framed([1]), endsStream: false)
        peer.sendHeaders(
          stream, (inTrailers ? large : []) + wire([("grpc-status", "0")]), endsStream: true)
      }
      #expect(error?.code == .resourceExhausted, "\(error as Any)")
    }
    try await Self.withServer {
      $0.sentMessageBytesMax = 2
    } _: { _, _ in
      Issue.record("a request over the limit was sent")
    } _: { channel, _ in
      #expect(await channel.error(EchoService.unary)?.code == .resourceExhausted)
    }
  }

  // MARK: Requests

  @Test func `a request's head is as gRPC wants it`() async throws {
    try await Self.withServer({ _ in }) { peer, stream in
      peer.sendHeaders(stream, Self.head + wire([("grpc-status", "0")]), endsStream: true)
    } _: { channel, peer in
      var options = CallOptions(deadline: SystemTime().uptime + .seconds(60))
      options.requestEncoding = .gzip
      options.metadata.add("x-text", "v")
      options.metadata.add("X-Upper", "dropped")
      options.metadata.add("x-late", "é is dropped")
      options.metadata.add("x-bin", bytes: [0, 255])
      _ = await channel.error(EchoService.fail, options)

      let fields = try #require(peer()?.streams[1]?.blocks.first)
      #expect(
        fields.map(\.name) == [
          ":method", ":scheme", ":path", ":authority", "grpc-timeout", "te", "content-type",
          "grpc-encoding", "grpc-accept-encoding", "user-agent", "x-text", "x-bin",
        ])
      let head = try #require(peer()?.streams[1])
      #expect(head.text(":path") == "/test.Echo/Fail" && head.text(":method") == "POST")
      #expect(head.text("te") == "trailers" && head.text("content-type") == "application/grpc")
      #expect(head.text("grpc-encoding") == "gzip" && head.text("x-bin") == "AP8")
      let agent = try #require(head.text("user-agent"))
      #expect(agent.wholeMatch(of: /grpc-[a-z]+(-[a-z]+)?\/[0-9.]+( \(.*\))?/) != nil, "\(agent)")
      let timeout = try #require(head.text("grpc-timeout"))
      #expect(timeout.wholeMatch(of: /[0-9]{1,8}[HMSmun]/) != nil, "\(timeout)")
    }
  }

  @Test func `requests are packed one by one, as asked`() async throws {
    let message = [UInt8](repeating: 3, count: 100)
    let packed = framed(Gzip.compress(message), flags: 1)
    for (encoding, expected) in [
      (MessageEncoding.gzip, packed + framed(message) + framed([])),
      (.identity, framed(message) + framed(message) + framed([])),
    ] {
      try await Self.withServer({ _ in }, { _, _ in }) { channel, peer in
        var options = CallOptions()
        options.requestEncoding = encoding
        let call = try await channel.open(EchoService.chat, options)
        try await call.send(message)
        try await call.sendUncompressed(message)
        try await call.send([])
        try await call.finishSending()
        #expect(await eventually { peer()?.streams[1]?.isEnded == true })
        #expect(peer()?.streams[1]?.data == expected)
        #expect(
          peer()?.streams[1]?.text("grpc-encoding") == (encoding == .gzip ? "gzip" : nil))
        call.cancel()
      }
    }
  }

  @Test(arguments: Route.allCases) func `both sides see how a message came`(
    _ route: Route
  ) async throws {
    try await EchoWorld.run(route) { world in
      for encoding in MessageEncoding.allCases {
        var options = CallOptions()
        options.requestEncoding = encoding
        let call = try await world.channel.open(EchoService.packing, options)
        for isPacked in [true, false, true] {
          let message = [UInt8](repeating: 1, count: 100)
          if isPacked {
            try await call.send(message)
          } else {
            try await call.sendUncompressed(message)
          }
          let wasPacked: UInt8 = isPacked && encoding == .gzip ? 1 : 0
          #expect(try await call.next() == [wasPacked])
          #expect(call.responseWasCompressed == (wasPacked == 1))
        }
        call.cancel()
      }
    }
  }
}
