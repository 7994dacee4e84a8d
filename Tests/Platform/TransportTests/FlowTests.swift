import Calls
import Loop
import Synchronization
import TestKit
import Testing
import Transport

/// As many bytes as the path says: `/1000000`.
private struct SizedPages: HTTPResponder {
  func respond(to request: HTTPRequest) async -> HTTPResponse {
    let count = Int(request.path.dropFirst()) ?? 0
    return HTTPResponse(status: 200, body: [UInt8](repeating: 1, count: count))
  }
}

private func get(_ stream: Int32, _ count: Int) -> Frame {
  .headers(stream, Frame.request("GET", "/\(count)"))
}

@Suite struct `Flow of streams and connections` {
  @Test func `RPC-06 windows are those that were configured`() async throws {
    try await Attacked.run(adjust: {
      $0.streamWindow = 123_456
      $0.connectionWindow = 1_000_000
    }) { world in
      let peer = try await world.attacker()
      let settings = await peer.next { $0.type == 4 && !$0.isAck }
      #expect(settings.map { $0.payload.contains([0, 4] + Frame.word(123_456)) } == true)
      let update = await peer.next { $0.type == 8 && $0.stream == 0 }
      #expect(update?.word(at: 0) == UInt32(1_000_000 - 65_535))
      peer.close()
    }
    try await withLoop { loop in
      let server = try RawServer(loop) { peer, frame, _ in
        if frame.type == 1 { peer.send(RawServer.answer(frame.stream)) }
      }
      let channel = server.channel {
        $0.streamWindow = 77_777
        $0.connectionWindow = 2_000_000
      }
      #expect(await channel.error(EchoService.unary) == nil)
      let frames = server.peers[0].frames
      #expect(frames.contains { $0.type == 4 && $0.payload.contains([0, 4] + Frame.word(77_777)) })
      #expect(frames.contains { $0.type == 8 && $0.word(at: 0) == 2_000_000 - 65_535 })
      channel.close()
      server.stop()
    }
  }

  @Test func `RPC-06 a reader that does not read bounds what its writer may queue`() async throws {
    try await Attacked.run { world in
      // A window of 1,000 bytes for 100,000 messages of 105.
      let peer = try await world.attacker([(4, 1_000)])
      peer.send(
        .headers(1, Frame.call(EchoService.repeat.path), ends: false),
        .data(1, Frame.message(Array("100000".utf8)), ends: true))
      let service = world.mesh.service
      #expect(await peer.next { $0.type == 0 && $0.payload.count > 0 } != nil)
      var sent = 0
      // Until it stands still over some turns of the loop.
      while await world.answers(2 * Int32(world.friend.frames.count) + 3) {
        let now = service.seen.withLock { $0.sent }
        if now == sent { break }
        sent = now
      }

      // 64 KiB in the pipe, with 32 for each message, and a DATA frame.
      #expect(sent > 100)
      #expect(sent * 132 <= 64 * 1024 + 16_384 + 1_000)
      peer.send(.reset(1))
      #expect(await eventually { service.seen.withLock { $0.cancelled } == 1 })
      peer.close()
    }
  }

  @Test func `RPC-06 streams that nobody reads hold up no others, in both directions`()
    async throws
  {
    try await Attacked.run(adjust: {
      $0.streamWindow = 65_535
      $0.connectionWindow = 200_000
    }) { world in
      let peer = try await world.attacker([(4, 0)])
      _ = await peer.next { $0.type == 4 && !$0.isAck }
      // Ten handlers that never read are sent 60,000 bytes each: three windows of the connection.
      for index in 0..<10 {
        let stream = Int32(2 * index + 1)
        let piece = Frame.message([UInt8](repeating: 0, count: 9_995))
        peer.send(.headers(stream, Frame.call(EchoService.silence.path), ends: false))
        for _ in 0..<6 {
          while peer.connectionWindow < 10_000 {
            guard await peer.next({ $0.type == 8 && $0.stream == 0 }) != nil else { break }
          }
          peer.send(.data(stream, piece))
        }
      }
      // And five answers may not be sent, for their windows are closed.
      for stream: Int32 in [101, 103, 105, 107, 109] {
        peer.send(
          .headers(stream, Frame.call(EchoService.repeat.path), ends: false),
          .data(stream, Frame.message(Array("50".utf8)), ends: true))
      }

      peer.send(
        .headers(201, Frame.call(EchoService.unary.path), ends: false),
        .data(201, Frame.message([5]), ends: true), .windowUpdate(201, 1_000))

      #expect(await peer.next { $0.type == 0 && $0.stream == 201 }?.payload == Frame.message([5]))
      peer.close()
    }
  }

  @Test func `RPC-06 streams of a connection share it in equal parts`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop) {
        $0.plaintextPolicy = .everything
        $0.responder = SizedPages()
      }
      // Together they may have 1 MiB at a time, each as much as it likes.
      let peer = try await FramePeer.connect(mesh.port, loop, [(4, 0x7fff_ffff)])
      peer.send(.windowUpdate(0, (1 << 20) - 65_535))
      let streams: [Int32] = [1, 3, 5, 7]
      peer.send(streams.map { get($0, 4 << 20) })

      var shares: [Int32: Int] = [:]
      while shares.values.reduce(0, +) < 1 << 20 {
        guard let frame = await peer.next({ $0.type == 0 }) else { break }
        shares[frame.stream, default: 0] += frame.payload.count
      }

      for stream in streams { #expect((200_000...330_000).contains(shares[stream] ?? 0)) }
      peer.close()
      await mesh.server.stop()
    }
  }

  @Test func `RPC-06 a connection that takes all it can get leaves room for the others`()
    async throws
  {
    // The server has a thread of its own, so that the greedy one can read while it writes.
    let serving = EventLoop(name: "serving")
    let thread = serving.start()
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: serving) {
        $0.plaintextPolicy = .everything
        $0.responder = SizedPages()
      }
      let greedy = try await FramePeer.connect(mesh.port, loop, [(4, 0x7fff_ffff)])
      let modest = try await FramePeer.connect(mesh.port, loop)
      modest.send(get(1, 1))
      #expect(await modest.next { $0.stream == 1 && $0.endsStream } != nil)
      greedy.keepsData = false
      greedy.send(.windowUpdate(0, 0x7000_0000))
      // More than it can read while others are served, also on a busy machine.
      greedy.send((0..<64).map { get(2 * $0 + 1, 16 << 20) })
      #expect(await eventually { greedy.dataBytes > 0 })

      // On the peers' own loop: how long a test waits for one of the process's busy threads is no
      // matter here.
      await loop.spawn {
        for round in 1...5 {
          modest.send(get(Int32(2 * round + 1), 1))
          let end = await modest.next { $0.stream == Int32(2 * round + 1) && $0.endsStream }
          #expect(end != nil)
        }
        #expect(greedy.dataBytes < 1 << 30)
      }.value
      greedy.close()
      modest.close()
      await mesh.server.stop()
    }
    serving.stop()
    thread.join()
  }
}
