import Bytes
import Calls
import Chrono
import Loop
import Synchronization
import TestKit
import Testing

@testable import Transport

/// gRPC over HTTP/2 to the letter, as a server meets it.
@Suite struct `Call semantics of the server` {
  // MARK: Deadlines

  @Test func `RPC-04 a timeout is understood in every unit, and refused when malformed`()
    async throws
  {
    let good: [(String, Duration)] = [
      ("1H", .seconds(3_600)), ("2M", .seconds(120)), ("30S", .seconds(30)),
      ("30000m", .seconds(30)), ("30000000u", .seconds(30)),
      ("99999999n", .nanoseconds(99_999_999)),
      ("99999999H", .seconds(99_999_999 * 3_600)), ("00000030S", .seconds(30)),
    ]
    for (text, duration) in good {
      #expect(CallTimeout.parse(Array(text.utf8)) == duration, "\(text)")
    }
    try await HandFramedWorld.run { world in
      for (text, duration) in good where (.seconds(30)...(.seconds(3_600))).contains(duration) {
        #expect(try await world.ask("/test.Echo/Unary", [("grpc-timeout", text)]).status == 0)
        let left = try #require(world.service.seen.withLock { $0.remaining })
        #expect(left <= duration && left > duration - .seconds(20), "\(text): \(left)")
      }
      for text in ["", "S", "1", "1s", "1h", "-1S", "+1S", "1.5S", "1 S", "123456789S", "0x1S"] {
        let answer = try await world.ask("/test.Echo/Unary", [("grpc-timeout", text)])
        #expect(answer.status == 13, "\(text): \(answer)")
      }
      #expect(try await world.ask("/test.Echo/Unary", [("grpc-timeout", "0n")]).status == 4)
    }
  }

  @Test func `RPC-04 a timeout that is sent is never shorter than it was, and eight digits long`() {
    for nanoseconds: Int64 in [
      1, 99_999_999, 100_000_000, 123_456_789, 99_999_999_000, 99_999_999_001, 3_600_000_000_000,
      99_999_999_000_000, 99_999_999_000_000_001, .max,
    ] {
      let text = CallTimeout.text(nanoseconds)
      #expect(text.utf8.count <= 9, "\(text)")
      let read = CallTimeout.parse(Array(text.utf8))
      #expect(read.map { $0 >= .nanoseconds(nanoseconds) } == true, "\(text)")
    }
    #expect(CallTimeout.text(0) == "1n")
    #expect(CallTimeout.text(-5) == "1n")
  }

  @Test func `RPC-04 a deadline that passes ends the call with trailers and cancels its handler`()
    async throws
  {
    try await HandFramedWorld.run { world in
      let unary = try await world.ask("/test.Echo/Slow", [("grpc-timeout", "20m")])
      #expect(unary.status == 4)
      #expect(unary.blocks.count == 1 && unary.isEnded)
      let stream = try await world.ask("/test.Echo/Silence", [("grpc-timeout", "20m")])
      #expect(stream.status == 4)
      #expect(await eventually { world.service.seen.withLock { $0.cancelled } == 2 })
    }
  }

  @Test func `RPC-04 a call made on behalf of another has its deadline`() async throws {
    let inner = EchoService()
    try await withLoop { loop in
      let back = InProcessChannel(methods: inner.methods, loop: loop)
      let front = ServerMethod(
        EchoService.method("Front", .unary),
        .unary { request, context in
          try await back.unary(EchoService.unary, request, context.downstream)
        })
      let channel = InProcessChannel(methods: [front], loop: loop)
      let deadline = loop.uptime + .seconds(60)

      _ = try await channel.unary(
        EchoService.method("Front", .unary), [1], CallOptions(deadline: deadline))

      let left = try #require(inner.seen.withLock { $0.remaining })
      #expect(left <= .seconds(60) && left > .seconds(30))
    }
  }

  // MARK: What is no call

  @Test func `another content type is 415, another HTTP method 405, and no call`() async throws {
    try await HandFramedWorld.run { world in
      for type in [
        "text/plain", "application/json", "application/grpc-web", "application/grpcx", "grpc", "",
      ] {
        let answer = try await world.ask("/test.Echo/Unary", [("content-type", type)])
        #expect(answer.text(":status") == "415", "\(type): \(answer)")
        #expect(answer.status == nil)
      }
      let untyped = try await world.ask("/test.Echo/Unary", [("content-type", nil)])
      #expect(untyped.text(":status") == "415")
      for type in ["application/grpc+proto", "application/grpc;charset=utf-8", "application/grpc"] {
        #expect(
          try await world.ask("/test.Echo/Unary", [("content-type", type)]).status == 0, "\(type)")
      }
      let page = try await world.ask(
        "/test.Echo/Unary", [(":method", "GET"), ("content-type", nil)], body: nil)
      #expect(page.text(":status") == "405" && page.text("allow") == "POST")
      let call = try await world.ask("/test.Echo/Unary", [(":method", "GET")], body: nil)
      #expect(call.status == 13)
    }
  }

  /// gRPC C++ resets a stream without te, after a while; a status says why, at once.
  @Test func `a call without te: trailers is refused`() async throws {
    try await HandFramedWorld.run { world in
      for te in [nil, "gzip", "deflate"] {
        let answer = try await world.ask("/test.Echo/Unary", [("te", te)])
        // Any te but trailers is malformed in HTTP/2 already.
        #expect(answer.status == 13 || (te != nil && answer.reset == 1), "\(answer)")
      }
      #expect(try await world.ask().status == 0)
    }
  }

  @Test func `an unknown path is unimplemented, and the answer is trailers only`() async throws {
    try await HandFramedWorld.run { world in
      for path in [
        "/test.Echo/Missing", "/test.Other/Unary", "/", "/test.Echo", "/test.echo/Unary",
      ] {
        let answer = try await world.ask(path)
        #expect(answer.status == 12, "\(path): \(answer)")
        #expect(answer.text(":status") == "200")
        #expect(answer.text("content-type") == "application/grpc")
        #expect(answer.blocks.count == 1 && answer.data.isEmpty && answer.isEnded)
      }
    }
  }

  // MARK: Messages

  @Test func `a body that is not one whole message ends a unary call with INTERNAL`() async throws {
    let bodies: [(String, [UInt8])] = [
      ("nothing", []), ("part of a prefix", [0, 0, 0]), ("part of a message", [0, 0, 0, 0, 9, 1]),
      ("two messages", framed([1]) + framed([2])),
      ("compressed without an encoding", framed(Gzip.compress([1]), flags: 1)),
      ("a flag that means nothing", framed([1], flags: 2)),
    ]
    try await HandFramedWorld.run { world in
      for (what, body) in bodies {
        #expect(try await world.ask(body: body).status == 13, "\(what)")
      }
      let damaged = try await world.ask(
        "/test.Echo/Unary", [("grpc-encoding", "gzip")], body: framed([1, 2, 3], flags: 1))
      #expect(damaged.status == 13)
      let identity = try await world.ask(
        "/test.Echo/Unary", [("grpc-encoding", "identity")],
        body: framed(Gzip.compress([1]), flags: 1))
      #expect(identity.status == 13)
    }
  }

  @Test func `an encoding that is not known is unimplemented, and those that are are listed`()
    async throws
  {
    try await HandFramedWorld.run { world in
      for encoding in ["deflate", "snappy", "GZIP", "gzip,identity"] {
        let answer = try await world.ask("/test.Echo/Unary", [("grpc-encoding", encoding)])
        #expect(answer.status == 12, "\(encoding)")
        #expect(answer.text("grpc-accept-encoding") == "identity,gzip")
        #expect(answer.text("grpc-message")?.contains(encoding) == true)
      }
      let packed = framed(Gzip.compress([7, 7]), flags: 1)
      let answer = try await world.ask(
        "/test.Echo/Unary", [("grpc-encoding", "gzip")], body: packed)
      #expect(answer.status == 0 && answer.data == framed([7, 7]))
      // Who used it is told that it may.
      #expect(answer.text("grpc-accept-encoding") == "identity,gzip")
    }
  }

  @Test func `a response is packed only for a caller that reads gzip`() async throws {
    let packing = ServerMethod(
      EchoService.method("PackingUnary", .unary),
      .unary { request, context in
        context.responseEncoding = .gzip
        return request
      })
    let stream = ServerMethod(
      EchoService.method("PackingStream", .serverStreaming),
      .streaming { requests, responses, context in
        let request = try await requests.next() ?? []
        context.responseEncoding = .gzip
        try await responses.sendUncompressed(request)
        try await responses.send(request)
        try await responses.send([])
        // Too late to change anything.
        context.responseEncoding = .identity
        try await responses.send(request)
      })
    let lists: [(String?, Bool)] = [
      ("gzip", true), ("identity,gzip", true), ("identity, deflate, gzip", true),
      ("gzip,identity", true), ("deflate , gzip , br", true), (nil, false), ("identity", false),
      ("xgzip", false), ("gzipped", false), ("deflate", false), ("", false),
    ]
    try await HandFramedWorld.run(methods: [packing, stream]) { world in
      for (list, isRead) in lists {
        let asked: [(String, String?)] = [("grpc-accept-encoding", list)]
        let message = [UInt8](repeating: 5, count: 100)
        let packed = framed(Gzip.compress(message), flags: 1)
        let plain = framed(message)

        let unary = try await world.ask("/test.Echo/PackingUnary", asked, body: plain)
        #expect(unary.data == (isRead ? packed : plain), "\(list ?? "none")")
        #expect(unary.text("grpc-encoding") == (isRead ? "gzip" : nil))
        #expect(unary.status == 0)

        let streamed = try await world.ask("/test.Echo/PackingStream", asked, body: plain)
        let most = isRead ? packed : plain
        #expect(streamed.data == plain + most + framed([]) + most, "\(list ?? "none")")
        #expect(streamed.status == 0)
      }
    }
  }

  @Test func `RPC-09 a message over a limit is RESOURCE_EXHAUSTED, packed or not, both ways`()
    async throws
  {
    let bomb = framed(Gzip.compress([UInt8](repeating: 0, count: 1_000_000)), flags: 1)
    try await HandFramedWorld.run {
      $0.limits.messageBytesMax = 2_000
      $0.limits.sentMessageBytesMax = 1_000
    } _: { world in
      #expect(bomb.count < 2_000)
      let inflating = try await world.ask(
        "/test.Echo/Unary", [("grpc-encoding", "gzip")], body: bomb)
      #expect(inflating.status == 8)
      // The length alone is enough to refuse.
      #expect(try await world.ask(body: [0, 255, 255, 255, 255]).status == 8)
      #expect(try await world.ask(body: framed([UInt8](repeating: 1, count: 2_001))).status == 8)
      let answer = try await world.ask(body: framed([UInt8](repeating: 1, count: 1_001)))
      #expect(answer.status == 8 && answer.data.isEmpty)
      let streamed = try await world.ask(
        "/test.Echo/Chat", body: framed([1]) + framed([UInt8](repeating: 1, count: 1_001)))
      #expect(streamed.status == 8 && streamed.data == framed([1]))
      #expect(try await world.ask(body: framed([UInt8](repeating: 1, count: 1_000))).status == 0)
    }
  }

  // MARK: Metadata

  @Test func `metadata arrives as the wire rules say`() async throws {
    let seen = Mutex(Metadata())
    let keep = ServerMethod(
      EchoService.method("Keep", .unary),
      .unary { request, context in
        seen.withLock { $0 = context.metadata }
        context.initialMetadata = context.metadata
        return request
      })
    var fields = HandFramedWorld.fields("/test.Echo/Keep")
    fields += wire([
      ("x-padded-bin", "AP8="), ("x-unpadded-bin", "AP8"), ("x-empty-bin", ""),
      ("x-joined-bin", "AQ, Ag==,Aw"), ("x-broken-bin", "&&&"), ("x-text", "  a b  "),
      ("x-text", "second"), ("grpc-anything", "1"),
      ("grpc-previous-rpc-attempts", "1"),
    ])
    fields.append(("x-latin", [0x61, 0xe9, 0x62]))
    try await HandFramedWorld.run(methods: [keep]) { [fields] world in
      let answer = try await world.ask(fields: fields, body: framed([1]))

      #expect(answer.status == 0)
      let metadata = seen.withLock { $0 }
      #expect(metadata.bytes("x-padded-bin") == [0, 255])
      #expect(metadata.bytes("x-unpadded-bin") == [0, 255])
      #expect(metadata.bytes("x-empty-bin") == [])
      #expect(
        metadata.entries.filter { $0.key == "x-joined-bin" }.map(\.value)
          == [.bytes([1]), .bytes([2]), .bytes([3])])
      #expect(metadata.bytes("x-broken-bin") == nil)
      #expect(
        metadata.entries.filter { $0.key == "x-text" }.map(\.value)
          == [.text("a b"), .text("second")])
      // Of gRPC's own, a handler sees how often the call was tried before (gRFC A6).
      #expect(
        metadata.entries.map(\.key).filter { $0.hasPrefix("grpc-") || $0 == "te" }
          == ["grpc-previous-rpc-attempts"])
      // What gRPC cannot carry is not sent back, and does no harm.
      #expect(metadata.text("x-latin") != nil && answer.text("x-latin") == nil)
      #expect(answer.text("x-padded-bin") == "AP8" && answer.text("x-unpadded-bin") == "AP8")
    }
  }

  @Test func `a key that gRPC does not allow is not sent`() {
    for key in ["X-Upper", "x y", "x:y", "", "grpc-anything", ":path", "te", "ключ"] {
      #expect(!MetadataCodec.isSendable(key), "\(key)")
    }
    for key in ["x", "x-1_2.3", "authorization", "traceparent"] {
      #expect(MetadataCodec.isSendable(key), "\(key)")
    }
  }

  @Test(arguments: Route.allCases) func `16 KB of metadata pass both ways`(
    _ route: Route
  ) async throws {
    let text = String(repeating: "x", count: 8_000)
    let bytes = [UInt8](repeating: 9, count: 6_000)
    try await EchoWorld.run(route) { world in
      var options = CallOptions()
      options.metadata.add("x-text", text)
      options.metadata.add("x-bin", bytes: bytes)
      let call = try await world.channel.open(EchoService.unary, options)
      try await call.send([1])
      try await call.finishSending()

      #expect(try await call.next() == [1])
      #expect(try await call.next() == nil)
      #expect(call.initialMetadata.text("x-text") == text)
      #expect(call.initialMetadata.bytes("x-bin") == bytes)
      #expect(call.trailingMetadata.bytes("x-trailer-bin") == bytes)
    }
  }

  @Test func `a status message is escaped, and read back whatever it is`() {
    let table: [(String, String)] = [
      ("plain", "plain"), ("100%", "100%25"), ("a\nb", "a%0Ab"), ("☺", "%E2%98%BA"),
      ("😈\t", "%F0%9F%98%88%09"), ("~ ", "~ "), ("\u{7f}", "%7F"), ("", ""),
    ]
    for (text, escaped) in table {
      #expect(StatusText.encode(text) == escaped)
      #expect(StatusText.decode(escaped) == text)
    }
    let lenient: [(String, String)] = [
      ("%e2%98%ba", "☺"), ("%", "%"), ("50% off", "50% off"), ("%4", "%4"), ("%zz%41", "%zzA"),
      ("%FF", "\u{fffd}"), ("a%", "a%"),
    ]
    for (escaped, text) in lenient { #expect(StatusText.decode(escaped) == text, "\(escaped)") }
  }
}
