import Calls
import Chrono
import Loop
import Security
import TestKit
import Testing
import Transport

/// How a server answers a unary call, and what its caller must be told: one of these codes.
private struct Answer: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let codes: Set<StatusCode>
  let frames: @Sendable (Int32) -> [Frame]
  /// The connection ends after them.
  var closes = false
  /// Connections that are expected; the second one answers well.
  var connections = 1

  init(
    _ name: String, _ codes: StatusCode..., closes: Bool = false, connections: Int = 1,
    _ frames: @escaping @Sendable (Int32) -> [Frame]
  ) {
    (testDescription, self.codes, self.frames) = (name, Set(codes), frames)
    (self.closes, self.connections) = (closes, connections)
  }

  static func head(_ stream: Int32) -> Frame { .headers(stream, RawServer.head, ends: false) }
  static func message(_ stream: Int32) -> Frame { .data(stream, Frame.message([1])) }
  static func trailers(_ stream: Int32) -> Frame { .headers(stream, RawServer.status) }
}

private let goAways: [Answer] = [
  Answer("GOAWAY, then the answer", .ok) { [.goAway(last: $0)] + RawServer.answer($0) },
  Answer("GOAWAY after headers", .ok) {
    [Answer.head($0), .goAway(last: $0), Answer.message($0), Answer.trailers($0)]
  },
  Answer("GOAWAY after data", .ok) {
    [Answer.head($0), Answer.message($0), .goAway(last: $0), Answer.trailers($0)]
  },
  Answer("GOAWAY after trailers", .ok) { RawServer.answer($0) + [.goAway(last: $0)] },
  Answer("GOAWAY in two steps", .ok) {
    [.goAway(last: .max), .goAway(last: $0)] + RawServer.answer($0)
  },
  Answer("GOAWAY twice", .ok) {
    [.goAway(last: $0), Answer.head($0), .goAway(last: $0), Answer.message($0)]
      + [.goAway(last: $0), Answer.trailers($0)]
  },
  Answer("GOAWAY that has not seen the call", .ok, connections: 2) { _ in [.goAway(last: 0)] },
  Answer("GOAWAY with an error that has not seen the call", .ok, connections: 2) { _ in
    [.goAway(last: 0, 2)]
  },
  Answer("GOAWAY with an error, and the answer", .ok) {
    [.goAway(last: $0, 0xb, "too_many_pings")] + RawServer.answer($0)
  },
  Answer("GOAWAY with an error, and the end", .unavailable, closes: true) {
    [.goAway(last: $0, 2)]
  },
  Answer("GOAWAY that denies a call half answered", .unavailable, .internalError) {
    [Answer.head($0), Answer.message($0), .goAway(last: 0)]
  },
  Answer("GOAWAY that takes a higher stream than before", .ok, .unavailable) {
    [.goAway(last: $0), .goAway(last: $0 + 2)] + RawServer.answer($0)
  },
]

private let resets: [Answer] = [
  Answer("RST_STREAM with NO_ERROR", .internalError) { [.reset($0, 0)] },
  Answer("RST_STREAM with PROTOCOL_ERROR", .internalError) { [.reset($0, 1)] },
  Answer("RST_STREAM with CANCEL", .cancelled) { [.reset($0, 8)] },
  Answer("RST_STREAM with ENHANCE_YOUR_CALM", .resourceExhausted) { [.reset($0, 0xb)] },
  Answer("RST_STREAM with INADEQUATE_SECURITY", .permissionDenied) { [.reset($0, 0xc)] },
  Answer("RST_STREAM with an unknown code", .internalError) { [.reset($0, 0x1234)] },
  Answer("RST_STREAM after headers", .internalError) { [Answer.head($0), .reset($0, 2)] },
  Answer("RST_STREAM after data", .internalError) {
    [Answer.head($0), Answer.message($0), .reset($0, 2)]
  },
  Answer("RST_STREAM after trailers", .ok) { RawServer.answer($0) + [.reset($0, 0)] },
]

private let disorders: [Answer] = [
  Answer("trailers without a status", .unknown) {
    [Answer.head($0), Answer.message($0), .headers($0, [("x", "1")])]
  },
  Answer("no trailers", .unknown) { [Answer.head($0), .data($0, Frame.message([1]), ends: true)] },
  Answer("a status that is no number", .unknown) {
    [Answer.head($0), .headers($0, [("grpc-status", "zero")])]
  },
  Answer("a status that nobody knows", .unknown) {
    [Answer.head($0), .headers($0, [("grpc-status", "77")])]
  },
  Answer("OK without a message", .internalError) { [Answer.head($0), Answer.trailers($0)] },
  Answer("two messages", .internalError) {
    [Answer.head($0), Answer.message($0), Answer.message($0), Answer.trailers($0)]
  },
  Answer("half a message", .internalError) {
    [Answer.head($0), .data($0, [0, 0, 0, 0, 9, 1]), Answer.trailers($0)]
  },
  Answer("a message that is too large", .resourceExhausted) {
    [Answer.head($0), .data($0, [0, 0x7f, 0, 0, 0])]
  },
  Answer("a compressed message without an encoding's name", .internalError) {
    [Answer.head($0), .data($0, [1, 0, 0, 0, 1, 1]), Answer.trailers($0)]
  },
  Answer("data before headers", .unavailable, .internalError) { [Answer.message($0)] },
  Answer("data after trailers", .ok) { RawServer.answer($0) + [Answer.message($0)] },
  Answer("headers after trailers", .ok) { RawServer.answer($0) + [Answer.head($0)] },
  Answer("headers twice", .internalError) { [Answer.head($0), Answer.head($0)] },
  Answer("interim answers", .ok) {
    [.headers($0, [(":status", "100")], ends: false)]
      + [.headers($0, [(":status", "103"), ("x", "1")], ends: false)] + RawServer.answer($0)
  },
  Answer("an interim answer that is the end", .internalError, .unknown) {
    [.headers($0, [(":status", "100")])]
  },
  Answer("no :status", .internalError) {
    [.headers($0, [("content-type", "application/grpc")], ends: false)]
  },
  Answer("a page of a proxy", .unavailable) {
    [
      .headers($0, [(":status", "503"), ("content-type", "text/html")], ends: false),
      .data($0, [60], ends: true),
    ]
  },
  Answer("the answer on another stream", .unavailable, .internalError) {
    RawServer.answer($0 + 2)
  },
  Answer("the answer on an even stream", .unavailable, .internalError) {
    RawServer.answer($0 + 1)
  },
]

private let protocols: [Answer] = [
  Answer("padding everywhere", .ok) {
    [
      .headers($0, RawServer.head, ends: false, padding: 255),
      .data($0, Frame.message([1]), padding: 200), .data($0, [], padding: 0),
      .headers($0, RawServer.status, padding: 1),
    ]
  },
  Answer("padding longer than its frame", .unavailable) {
    [Answer.head($0), Frame(type: 0, flags: 8, stream: $0, payload: [9, 1])]
  },
  Answer("a push", .unavailable) {
    [
      Frame(
        type: 5, flags: 4, stream: $0,
        payload: [0, 0, 0, 2] + Frame.block(Frame.request("GET", "/")))
    ]
  },
  Answer("pings within reason", .ok) {
    [Frame](repeating: .ping(), count: 500) + RawServer.answer($0)
  },
  Answer("a flood of pings", .unavailable) {
    [Frame](repeating: .ping(), count: 5_000) + RawServer.answer($0)
  },
  Answer("a flood of SETTINGS", .unavailable) {
    [Frame](repeating: .settings(), count: 5_000) + RawServer.answer($0)
  },
  Answer("a flood of empty DATA", .unavailable) {
    [Answer.head($0)] + [Frame](repeating: .data($0), count: 5_000)
  },
  Answer("frames of unknown types", .ok) {
    [Frame(type: 0xcc, stream: $0, payload: [1])] + RawServer.answer($0)
  },
  Answer("headers above 64 KiB", .resourceExhausted) { stream in
    [.headers(stream, RawServer.head, ends: false, endsHeaders: false)]
      + (0..<5).map {
        .continuation(
          stream, Frame.block([("x-\($0)", String(repeating: "a", count: 15_000))]), ends: $0 == 4)
      }
  },
  Answer("an HPACK bomb", .unavailable) {
    [
      Frame(
        type: 1, flags: 4, stream: $0,
        payload: Frame.block(RawServer.head) + [0x40]
          + Frame.block([("x", String(repeating: "a", count: 4_000))]).dropFirst()
          + [UInt8](repeating: 0xbe, count: 12_000))
    ]
  },
  Answer("a block that is no HPACK", .unavailable, .internalError) {
    [Frame(type: 1, flags: 4, stream: $0, payload: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff])]
  },
  Answer("a window above 2^31-1", .internalError, .unavailable) {
    [.windowUpdate($0, 0x7fff_ffff)]
  },
  Answer("WINDOW_UPDATE of 0", .unavailable) { [.windowUpdate($0, 0)] },
  Answer("SETTINGS out of range", .unavailable) { _ in [.settings([(5, 1)])] },
  Answer("a page of HTTP/1.1", .unavailable) { _ in
    [
      Frame(
        type: 0x31, flags: 0x20, stream: 0x3230_3020,
        payload: [UInt8](repeating: 0x58, count: 30_000))
    ]
  },
  Answer("the end before headers", .unavailable, closes: true) { _ in [] },
  Answer("the end after headers", .unavailable, closes: true) { [Answer.head($0)] },
  Answer("the end after data", .unavailable, closes: true) {
    [Answer.head($0), Answer.message($0)]
  },
]

@Suite struct `A client of bad servers` {
  @Test(arguments: goAways + resets + disorders + protocols)
  fileprivate func `RPC-09 tells its caller the right status, whatever the server does`(
    answer: Answer
  ) async throws {
    try await withLoop { loop in
      var isFirst = true
      let server = try RawServer(loop) { peer, frame, _ in
        guard frame.type == 1 else { return }
        defer { isFirst = false }
        peer.send(isFirst ? answer.frames(frame.stream) : RawServer.answer(frame.stream))
        if isFirst, answer.closes { peer.connection.closeAfterFlush() }
      }
      let channel = server.channel()
      var options = CallOptions(deadline: loop.uptime + .seconds(10))
      options.waitsForReady = true

      let error = await channel.error(EchoService.slow, options)

      #expect(answer.codes.contains(error?.code ?? .ok), "\(error as Any)")
      #expect(server.peers.count >= answer.connections)
      // And the channel is as good as new, on this connection or on another.
      let next = await channel.error(EchoService.unary, options)
      #expect(next == nil, "\(next as Any)")
      channel.close()
      server.stop()
    }
  }

  private static func soon(_ loop: EventLoop) -> CallOptions {
    var options = CallOptions(deadline: loop.uptime + .seconds(10))
    options.waitsForReady = true
    return options
  }

  @Test func `RPC-06 calls wait while the server allows no streams, and go on when it does`()
    async throws
  {
    try await withLoop { loop in
      let server = try RawServer(loop) { peer, frame, _ in
        if frame.type == 1 { peer.send(RawServer.answer(frame.stream)) }
      }
      let channel = server.channel()
      let options = Self.soon(loop)
      #expect(await channel.error(EchoService.slow, options) == nil)
      let peer = server.peers[0]
      peer.send(.settings([(3, 0)]))
      #expect(await peer.roundTrip())
      async let first = channel.error(EchoService.slow, options)
      async let second = channel.error(EchoService.slow, options)
      #expect(await peer.roundTrip("nostream"))
      #expect(peer.frames.count { $0.type == 1 } == 1)

      // One at a time, then none while one waits, then any number.
      peer.send(.settings([(3, 1)]))
      #expect(await first == nil)
      #expect(await second == nil)
      peer.send(.settings([(3, 0)]))
      #expect(await peer.roundTrip("settings"))
      async let third = channel.error(EchoService.slow, options)
      #expect(await peer.roundTrip("stillnot"))
      #expect(peer.frames.count { $0.type == 1 } == 3)
      peer.send(.settings([(3, 100)]))
      #expect(await third == nil)
      channel.close()
      server.stop()
    }
  }

  @Test func `RPC-06 a request waits for the server's windows, to its deadline at most`()
    async throws
  {
    try await withLoop { loop in
      let server = try RawServer(loop) { peer, frame, _ in
        if frame.type == 0, frame.endsStream { peer.send(RawServer.answer(frame.stream)) }
      }
      let channel = server.channel()
      #expect(await channel.error(EchoService.slow, Self.soon(loop)) == nil)
      let peer = server.peers[0]
      peer.send(.settings([(4, 0)]))
      #expect(await peer.roundTrip("nowindow"))
      var short = Self.soon(loop)
      short.deadline = loop.uptime + .milliseconds(60)
      #expect(await channel.error(EchoService.slow, short)?.code == .deadlineExceeded)
      #expect(await peer.next { $0.type == 3 }?.word(at: 0) == 8)

      async let error = channel.error(EchoService.slow, Self.soon(loop))
      #expect(await peer.next { $0.type == 1 && $0.stream == 5 } != nil)
      #expect(await peer.roundTrip())
      #expect(!peer.frames.contains { $0.type == 0 && $0.stream > 1 })
      // Three bytes of eight by WINDOW_UPDATE, the rest by SETTINGS.
      peer.send(.windowUpdate(5, 3))
      #expect(await peer.next { $0.type == 0 }?.payload.count == 3)
      peer.send(.settings([(4, 100)]))
      #expect(await error == nil)
      channel.close()
      server.stop()
    }
  }

  @Test func `RPC-06 a server that sends beyond the window of a call is stopped`() async throws {
    try await withLoop { loop in
      let server = try RawServer(loop) { peer, frame, _ in
        guard frame.type == 1 else { return }
        let piece = [UInt8](repeating: 0, count: 16_000)
        peer.send([.headers(frame.stream, RawServer.head, ends: false)])
        peer.send([Frame](repeating: .data(frame.stream, piece), count: 60))
      }
      let channel = server.channel()
      let call = try await channel.open(EchoService.chat, Self.soon(loop))

      // Empty messages of five bytes each, 960,000 bytes of them, that nobody reads.
      let peer = { server.peers.first }
      #expect(await eventually { peer() != nil })
      let end = await peer()!.next { ($0.type == 3 || $0.type == 7) }
      #expect(end.map { $0.word(at: $0.type == 3 ? 0 : 4) } == 3)
      await #expect(throws: RPCError.self) {
        while try await call.next() != nil {}
      }
      channel.close()
      server.stop()
    }
  }

  @Test func `a server that leaves without a word of TLS ends its calls`() async throws {
    try await withLoop { loop in
      for frames in [{ _ in [] }, { [Answer.head($0), Answer.message($0)] }]
        as [(Int32) -> [Frame]]
      {
        let server = try RawServer(loop, tls: TestMesh.shared.serverTLS("echo")) { peer, frame, _ in
          guard frame.type == 1 else { return }
          peer.send(frames(frame.stream))
          loop.atTickEnd { loop.atTickEnd { peer.close() } }
        }
        let tls = try TestMesh.shared.clientTLS("gateway")
        let channel = server.channel { $0.tls = tls }
        #expect(await channel.error(EchoService.slow, Self.soon(loop))?.code == .unavailable)
        channel.close()
        server.stop()
      }
    }
  }

  @Test func `RPC-09 a silent server is pinged while calls are open, and left when it is gone`()
    async throws
  {
    try await withLoop { loop in
      for isAlive in [true, false] {
        let server = try RawServer(loop) { peer, frame, _ in
          if isAlive, frame.type == 6, !frame.isAck {
            peer.send(Frame(type: 6, flags: 1, payload: frame.payload))
          }
        }
        let channel = server.channel {
          $0.keepaliveAfter = .milliseconds(40)
          // One that is alive has time for its answer, also on a busy machine.
          $0.keepaliveAckMax = isAlive ? .seconds(10) : .milliseconds(60)
        }
        let options = Self.soon(loop)
        async let ended = channel.error(EchoService.slow, options)
        #expect(await eventually { !server.peers.isEmpty })
        let peer = server.peers[0]
        #expect(await peer.next { $0.type == 6 && !$0.isAck } != nil)
        if isAlive {
          for _ in 0..<3 { #expect(await peer.next { $0.type == 6 && !$0.isAck } != nil) }
          peer.send(RawServer.answer(1))
          #expect(await ended == nil)
        } else {
          let error = await ended
          #expect(error?.code == .unavailable)
          #expect(error?.message.contains("keepalive") == true)
        }
        channel.close()
        server.stop()
      }
    }
  }

  @Test func `RPC-09 a server that is pinged too often is pinged half as often from then on`()
    async throws
  {
    try await withLoop { loop in
      let often = Duration.milliseconds(50)
      var (began, pinged) = (loop.uptime, [Duration]())
      let server = try RawServer(loop) { peer, frame, number in
        if number == 1, frame.type == 4, !frame.isAck { began = loop.uptime }
        guard frame.type == 6, !frame.isAck else { return }
        if number == 0 {
          peer.send(Frame.goAway(last: 1, 11, "too_many_pings"))
        } else {
          pinged.append(loop.uptime - began)
        }
      }
      let channel = server.channel { $0.keepaliveAfter = often }
      let options = Self.soon(loop)
      async let first = channel.error(EchoService.slow, options)
      #expect(await eventually { server.peers.count == 2 })

      async let second = channel.error(EchoService.slow, options)
      #expect(await eventually { !pinged.isEmpty })

      // Twice as long, less what passed between the two ends' first frames.
      #expect(pinged.first.map { $0 >= often * 1.5 } == true, "\(pinged)")
      channel.close()
      server.stop()
      _ = await (first, second)
    }
  }

  @Test func `RPC-09 frames at random neither crash a client nor keep it waiting`() async throws {
    let seed = UInt64.random(in: 0 ... .max)
    try await withLoop { loop in
      var random = RandomFrames(seed: seed)
      for _ in 0..<100 {
        let server = try RawServer(loop) { peer, frame, _ in
          guard frame.type == 1 else { return }
          for _ in 0..<random.below(20) { peer.send(random.answer()) }
          peer.connection.closeAfterFlush()
        }
        let channel = server.channel()
        let error = await channel.error(EchoService.slow, Self.soon(loop))
        #expect(error?.code != .deadlineExceeded, "seed \(seed)")
        channel.close()
        server.stop()
      }
    }
  }
}
