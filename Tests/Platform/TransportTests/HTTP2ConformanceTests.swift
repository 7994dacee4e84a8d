import Calls
import Loop
import TestKit
import Testing
import Transport

/// What RFC 9113 wants to happen.
private enum Outcome: Sendable {
  /// GOAWAY with one of these codes, and the end of the connection.
  case connectionError([UInt32])
  /// RST_STREAM, or GOAWAY as an endpoint may always do instead.
  case streamError(Int32, [UInt32])
  /// The frames change nothing: a request after them is answered.
  case ignored

  static func connection(_ codes: UInt32...) -> Outcome { .connectionError(codes) }
  static func stream(_ stream: Int32, _ codes: UInt32...) -> Outcome {
    .streamError(stream, codes)
  }
}

/// The codes of section 7.
private let (protocolError, flowError, closed, sizeError, compressionError):
  (UInt32, UInt32, UInt32, UInt32, UInt32) = (0x1, 0x3, 0x5, 0x6, 0x9)

private struct Case: Sendable {
  let section: String
  let outcome: Outcome
  let frames: [Frame]
  /// Frames sent when the first request is answered.
  var late: [Frame] = []

  init(_ section: String, _ outcome: Outcome, _ frames: Frame..., late: [Frame] = []) {
    (self.section, self.outcome, self.frames, self.late) = (section, outcome, frames, late)
  }

  /// A request whose fields are malformed.
  static func fields(_ what: String, _ fields: [(String, String)], ends: Bool = true) -> Case {
    Case(
      "8.1 to 8.3 \(what)", .stream(1, protocolError), .headers(1, fields, ends: ends))
  }
}

private struct Topic: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let cases: [Case]

  init(_ name: String, _ cases: [Case]) { (testDescription, self.cases) = (name, cases) }
}

private let get = Frame.get
private let post = Frame.post

private let framing: [Case] = [
  Case("4.1 an unknown frame type", .ignored, Frame(type: 0x77, flags: 0xff, payload: [1, 2])),
  Case("4.1 undefined flags", .ignored, Frame(type: 6, flags: 0x16, payload: [UInt8](0..<8))),
  Case("4.1 the reserved bit", .ignored, Frame(type: 6, stream: .min, payload: [UInt8](0..<8))),
  Case(
    "4.2 DATA above the frame size", .stream(1, sizeError), .headers(1, post, ends: false),
    .data(1, [UInt8](repeating: 0, count: 16_385))),
  Case(
    "4.2 HEADERS above the frame size", .connection(sizeError),
    .headers(1, get + [("x", String(repeating: "a", count: 17_000))])),
  Case(
    "4.3 a malformed block", .connection(compressionError),
    Frame(type: 1, flags: 5, stream: 1, payload: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
  Case(
    "4.3 PRIORITY within a block", .connection(protocolError),
    .headers(1, get, endsHeaders: false), .priority(1), .continuation(1, [])),
  Case(
    "4.3 another stream within a block", .connection(protocolError),
    .headers(1, get, endsHeaders: false), .headers(3, get)),
  Case(
    "5.5 an extension within a block", .connection(protocolError),
    .headers(1, get, endsHeaders: false), Frame(type: 0x77, stream: 1), .continuation(1, [])),
]

private let states: [Case] = [
  Case("5.1 idle: DATA", .connection(protocolError), .data(1, [1], ends: true)),
  Case("5.1 idle: RST_STREAM", .connection(protocolError), .reset(1)),
  Case("5.1 idle: WINDOW_UPDATE", .connection(protocolError), .windowUpdate(1, 1)),
  Case("5.1 idle: CONTINUATION", .connection(protocolError), .continuation(1, [])),
  Case("5.1 idle: PRIORITY", .ignored, .priority(9)),
  Case(
    "5.1 half-closed: DATA", .stream(1, closed), .headers(1, get), .data(1, [1], ends: true)),
  Case("5.1 half-closed: HEADERS", .stream(1, closed), .headers(1, get), .headers(1, get)),
  Case(
    "5.1 half-closed: CONTINUATION", .connection(protocolError), .headers(1, get),
    .continuation(1, [])),
  Case(
    "5.1 reset by the peer: DATA", .stream(1, closed), .headers(1, post, ends: false), .reset(1),
    .data(1, [1], ends: true)),
  Case(
    "5.1 reset by the peer: HEADERS", .stream(1, closed), .headers(1, post, ends: false),
    .reset(1), .headers(1, get)),
  Case(
    "5.1 closed: DATA", .connection(closed), .headers(1, get), late: [.data(1, [1], ends: true)]),
  Case("5.1 closed: HEADERS", .connection(closed), .headers(1, get), late: [.headers(1, get)]),
  Case("5.1 closed: WINDOW_UPDATE", .ignored, .headers(1, get), late: [.windowUpdate(1, 1)]),
  Case("5.1 closed: RST_STREAM", .ignored, .headers(1, get), late: [.reset(1)]),
  Case("5.1 closed: PRIORITY", .ignored, .headers(1, get), late: [.priority(1)]),
  Case("5.1.1 an even stream", .connection(protocolError), .headers(2, get)),
  Case(
    "5.1.1 a stream passed over", .connection(protocolError), .headers(5, get), .headers(3, get)),
  Case(
    "5.1.1 a stream passed over, later", .connection(protocolError), .headers(5, get),
    late: [.headers(1, get)]),
  Case(
    "5.1.1 DATA on a stream passed over", .connection(protocolError, closed), .headers(5, get),
    late: [.data(3, [1])]),
  Case(
    "5.3.1 HEADERS that depend on themselves", .stream(1, protocolError),
    Frame(type: 1, flags: 0x25, stream: 1, payload: [0, 0, 0, 1, 9] + Frame.block(get))),
  Case("5.3.1 PRIORITY that depends on itself", .stream(3, protocolError), .priority(3, on: 3)),
]

private let controls: [Case] = [
  Case("6.1 DATA on stream 0", .connection(protocolError), .data(0, [1])),
  Case(
    "6.1 padding longer than DATA", .connection(protocolError), .headers(1, post, ends: false),
    Frame(type: 0, flags: 9, stream: 1, payload: [5, 1, 2])),
  Case("6.2 HEADERS on stream 0", .connection(protocolError), .headers(0, get)),
  Case(
    "6.2 padding longer than HEADERS", .connection(protocolError),
    Frame(type: 1, flags: 0xd, stream: 1, payload: [200] + Frame.block(get))),
  Case("6.3 PRIORITY on stream 0", .connection(protocolError), .priority(0, on: 1)),
  Case(
    "6.3 the length of PRIORITY", .stream(1, sizeError), .headers(1, post, ends: false),
    Frame(type: 2, stream: 1, payload: [0, 0, 0, 0])),
  Case("6.4 RST_STREAM on stream 0", .connection(protocolError), .reset(0)),
  Case(
    "6.4 the length of RST_STREAM", .connection(sizeError), .headers(1, post, ends: false),
    Frame(type: 3, stream: 1, payload: [0, 0, 0])),
  Case(
    "6.5 SETTINGS ACK with content", .connection(sizeError), Frame(type: 4, flags: 1, payload: [0])),
  Case("6.5 SETTINGS on a stream", .connection(protocolError), Frame(type: 4, stream: 1)),
  Case("6.5 the length of SETTINGS", .connection(sizeError), Frame(type: 4, payload: [0, 3, 0])),
  Case("6.5 an ACK that nobody awaits", .connection(protocolError), .settingsAck),
  Case("6.5.2 ENABLE_PUSH 2", .connection(protocolError), .settings([(2, 2)])),
  Case("6.5.2 a window above 2^31-1", .connection(flowError), .settings([(4, 0x8000_0000)])),
  Case("6.5.2 a frame size below 2^14", .connection(protocolError), .settings([(5, 16_383)])),
  Case("6.5.2 a frame size above 2^24-1", .connection(protocolError), .settings([(5, 1 << 24)])),
  Case("6.5.2 an unknown setting", .ignored, .settings([(0xffff, 7)])),
  Case(
    "6.6 8.4 PUSH_PROMISE of a client", .connection(protocolError),
    Frame(type: 5, flags: 4, stream: 1, payload: [0, 0, 0, 2] + Frame.block(get))),
  Case(
    "6.7 PING on a stream", .connection(protocolError),
    Frame(type: 6, stream: 1, payload: [UInt8](0..<8))),
  Case("6.7 the length of PING", .connection(sizeError), .ping("123456")),
  Case("6.7 an ACK that nobody awaits", .ignored, .ping(ack: true)),
  Case(
    "6.8 GOAWAY on a stream", .connection(protocolError),
    Frame(type: 7, stream: 1, payload: [UInt8](repeating: 0, count: 8))),
  Case("6.9 WINDOW_UPDATE of 0", .connection(protocolError), .windowUpdate(0, 0)),
  Case(
    "6.9 WINDOW_UPDATE of 0 on a stream", .stream(1, protocolError),
    .headers(1, post, ends: false), .windowUpdate(1, 0)),
  Case(
    "6.9 the length of WINDOW_UPDATE", .connection(sizeError), Frame(type: 8, payload: [0, 0, 1])),
  Case(
    "6.9.1 the connection's window above 2^31-1", .connection(flowError),
    .windowUpdate(0, 0x7fff_ffff), .windowUpdate(0, 1)),
  Case(
    "6.9.1 a stream's window above 2^31-1", .stream(1, flowError), .headers(1, post, ends: false),
    .windowUpdate(1, 0x7fff_ffff)),
  Case(
    "6.9.2 SETTINGS that lift a window above 2^31-1", .connection(flowError),
    .headers(1, post, ends: false), .windowUpdate(1, 65_535), .settings([(4, 0x7fff_ffff)])),
  Case("6.10 CONTINUATION on stream 0", .connection(protocolError), .continuation(0, [])),
  Case(
    "6.10 CONTINUATION after the end", .connection(protocolError), .headers(1, post, ends: false),
    .continuation(1, [])),
]

private let messages: [Case] = [
  .fields("an upper-case name", get + [("X-Test", "1")]),
  .fields("a name with a blank", get + [("x test", "1")]),
  .fields("a value with NUL", get + [("x", "a\0b")]),
  .fields("a value with a line break", get + [("x", "a\r\nb")]),
  .fields("an unknown pseudo-header", get + [(":test", "1")]),
  .fields("a pseudo-header of responses", get + [(":status", "200")]),
  .fields("a pseudo-header after others", [("x", "1")] + get),
  .fields("no method", Array(get[1...])),
  .fields("no scheme", [get[0]] + get[2...]),
  .fields("no path", Array(get[0...1]) + [get[3]]),
  .fields("an empty path", Array(get[0...1]) + [(":path", ""), get[3]]),
  .fields("two methods", [get[0]] + get),
  .fields("two schemes", [get[1]] + get),
  .fields("two paths", [get[2]] + get),
  .fields("connection", get + [("connection", "keep-alive")]),
  .fields("keep-alive", get + [("keep-alive", "1")]),
  .fields("proxy-connection", get + [("proxy-connection", "x")]),
  .fields("transfer-encoding", post + [("transfer-encoding", "chunked")], ends: false),
  .fields("upgrade", get + [("upgrade", "h2c")]),
  .fields("te other than trailers", get + [("te", "trailers, deflate")]),
  .fields("two lengths", get + [("content-length", "1"), ("content-length", "2")]),
  .fields("a length that is no number", get + [("content-length", "-1")]),
  .fields("a length without a body", post + [("content-length", "3")]),
  Case(
    "8.1.1 a body shorter than its length", .stream(1, protocolError),
    .headers(1, post + [("content-length", "3")], ends: false), .data(1, [1], ends: true)),
  Case(
    "8.1.1 a body longer than its length", .stream(1, protocolError),
    .headers(1, post + [("content-length", "1")], ends: false), .data(1, [1], ends: false),
    .data(1, [1], ends: true)),
  Case(
    "8.1 trailers that do not end the stream", .stream(1, protocolError),
    .headers(1, post, ends: false), .headers(1, [("x", "1")], ends: false)),
  Case(
    "8.1 pseudo-headers in trailers", .stream(1, protocolError), .headers(1, post, ends: false),
    .headers(1, [(":method", "POST")])),
]

private let compression: [Case] = [
  ("6.1 index 0", [0x80]), ("2.3.3 an index beyond the tables", [0xff, 0x00]),
  ("6.3 a table larger than allowed", [0x3f, 0xe2, 0x1f]),
  ("4.2 a table size after a field", [0x82, 0x20]),
  ("5.2 padding of Huffman that is not EOS", [0x00, 0x81, 0x00, 0x00]),
  ("5.2 padding of Huffman above 7 bits", [0x00, 0x82, 0xff, 0xff, 0x00]),
  ("5.1 an integer without end", [0x7f] + [UInt8](repeating: 0xff, count: 12)),
].map { name, block in
  Case(
    "RFC 7541 \(name)", .connection(compressionError),
    Frame(type: 1, flags: 5, stream: 1, payload: block))
}

@Suite struct `HTTP/2 to the letter` {
  private static func serve(
    _ body: @escaping @Sendable (Int, EventLoop) async throws -> Void
  ) async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop) { $0.plaintextPolicy = .everything }
      try await body(mesh.port, loop)
      await mesh.server.stop()
    }
  }

  @Test(arguments: [
    Topic("framing", framing), Topic("states", states), Topic("control frames", controls),
    Topic("messages", messages), Topic("compression", compression),
  ])
  fileprivate func `RPC-09 what RFC 9113 and 7541 forbid is answered as they say`(
    topic: Topic
  ) async throws {
    try await Self.serve { port, loop in
      for one in topic.cases {
        let peer = try await FramePeer.connect(port, loop)
        // The server's SETTINGS, so that what follows is not about them.
        #expect(await peer.next { $0.type == 4 && !$0.isAck } != nil)
        peer.send(one.frames)
        if !one.late.isEmpty {
          let first = one.frames[0].stream
          #expect(
            await peer.next { $0.stream == first && $0.endsStream } != nil, "\(one.section)")
          peer.send(one.late)
        }
        try await Self.judge(one, peer)
        peer.close()
      }
    }
  }

  private static func judge(_ one: Case, _ peer: FramePeer) async throws {
    switch one.outcome {
    case .connectionError(let codes):
      let end = await peer.next { $0.type == 7 }
      #expect(codes.contains(end?.word(at: 4) ?? .max), "\(one.section): \(peer.said)")
      await peer.untilClosed()
    case .streamError(let stream, let codes):
      let error = await peer.next { ($0.type == 3 && $0.stream == stream) || $0.type == 7 }
      let code = error.map { $0.word(at: $0.type == 3 ? 0 : 4) }
      #expect(codes.contains(code ?? .max), "\(one.section): \(peer.said)")
    case .ignored:
      peer.send(.headers(101, get))
      let answer = await peer.next { $0.stream == 101 && $0.type == 1 }
      // `:status 200` of the static table.
      #expect(answer?.payload.first == 0x88, "\(one.section): \(peer.said)")
    }
  }

  @Test func `3.4 a connection that begins with nonsense is closed unanswered`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop)
      let nonsense = try await FramePeer.connect(mesh.port, loop, greets: false)
      nonsense.send(Array("INVALID CONNECTION PREFACE\r\n\r\n".utf8))
      await nonsense.untilClosed()

      #expect(nonsense.frames.isEmpty)
      #expect(mesh.observer.defended(.garbage) == 1)
      let withoutSettings = try await FramePeer.connect(mesh.port, loop, greets: false)
      withoutSettings.send(Frame.preface)
      withoutSettings.send(.ping())
      #expect(await withoutSettings.next { $0.type == 7 }?.word(at: 4) == protocolError)
      await withoutSettings.untilClosed()
      #expect(mesh.observer.defended(.protocol) == 1)
      await mesh.server.stop()
    }
  }

  @Test func `5.1 what was under way to a stream that we reset is no error`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop) {
        $0.plaintextPolicy = .everything
        $0.limits.bodyBytesMax = 10
      }
      let peer = try await FramePeer.connect(mesh.port, loop)
      peer.send(
        .headers(1, post, ends: false), .data(1, [UInt8](repeating: 1, count: 11)))
      // 413, and NO_ERROR for the rest.
      #expect(await peer.next { $0.type == 3 && $0.stream == 1 }?.word(at: 0) == 0)

      peer.send(
        .data(1, [1, 2, 3]), .windowUpdate(1, 1),
        // Trailers whose field goes into the table of fields, as the next request expects.
        Frame(type: 1, flags: 5, stream: 1, payload: [0x40, 1, 0x78, 1, 0x79]),
        Frame(type: 1, flags: 5, stream: 3, payload: Frame.block(get) + [0xbe]))

      #expect(await peer.next { $0.type == 1 && $0.stream == 3 }?.payload.first == 0x88)
      peer.close()
      await mesh.server.stop()
    }
  }

  @Test func `5.1.2 a stream beyond the limit is refused, and the others go on`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop) {
        $0.plaintextPolicy = .everything
        $0.limits.streamsMax = 2
      }
      let peer = try await FramePeer.connect(mesh.port, loop)
      let greeting = await peer.next { $0.type == 4 && !$0.isAck }
      // SETTINGS_MAX_CONCURRENT_STREAMS: 2.
      #expect(greeting.map { $0.payload.contains([0, 3, 0, 0, 0, 2]) } == true)
      #expect(await peer.roundTrip())
      let fields = Frame.call(EchoService.chat.path)
      peer.send([1, 3, 5].map { .headers($0, fields, ends: false) })

      #expect(await peer.next { $0.type == 3 }?.stream == 5)
      #expect(peer.frames.last { $0.type == 3 }?.word(at: 0) == 7)
      peer.send(.data(1, Frame.message([9]), ends: true))
      #expect(await peer.next { $0.type == 0 && $0.stream == 1 }?.payload == Frame.message([9]))
      #expect(await peer.next { $0.stream == 1 && $0.endsStream } != nil)
      peer.send(.headers(7, fields, ends: true))
      #expect(await peer.next { $0.stream == 7 && $0.endsStream } != nil)
      #expect(mesh.observer.defended(.streams) == 1)
      peer.close()
      await mesh.server.stop()
    }
  }

  @Test func `6.1 padding of every length is taken and given back to the windows`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop) {
        $0.plaintextPolicy = .everything
        $0.limits.streamWindow = 2_000
        $0.limits.connectionWindow = 65_535
      }
      let peer = try await FramePeer.connect(mesh.port, loop)
      peer.send(.headers(1, Frame.call(EchoService.join.path), ends: false, padding: 255))
      let body = Frame.message([UInt8](0..<255) + [UInt8](0..<255))
      // Windows of 65,535 and 2,000 bytes: without every padded byte credited this ends soon.
      var (window, total) = (2_000, 0)
      for (index, byte) in body.enumerated() {
        let padding = [0, 1, 100, 255][index % 4]
        let cost = 2 + padding
        while window < cost {
          guard let update = await peer.next({ $0.type == 8 && $0.stream == 1 }) else { break }
          window += Int(update.word(at: 0))
        }
        window -= cost
        total += cost
        peer.send(.data(1, [byte], ends: index == body.count - 1, padding: padding))
      }

      let answer = await peer.next { $0.type == 0 && $0.stream == 1 }
      #expect(answer?.payload == Frame.message(Array(body[5...])), "\(peer.said.suffix(500))")
      #expect(total > 40_000)
      peer.close()
      await mesh.server.stop()
    }
  }
}
