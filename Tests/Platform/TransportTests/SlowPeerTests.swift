import Calls
import Loop
import Synchronization
import TestKit
import Testing
import Transport

/// Eight megabytes: more than the sockets of the machine keep.
private struct LongPage: HTTPResponder {
  func respond(to request: HTTPRequest) async -> HTTPResponse {
    HTTPResponse(
      status: 200, body: [UInt8](repeating: 1, count: request.path == "/echo" ? 1 : 8 << 20))
  }
}

/// For peers that fail in any case; those that must not have longer, for the machine may be busy.
private let patience = Duration.milliseconds(60)

@Suite struct `Peers that are slow, silent or too many` {
  @Test func `RPC-09 a header block that does not end is cut, however it trickles`() async throws {
    try await Attacked.run(adjust: { $0.headTimeMax = patience }) { world in
      let attacker = try await world.attacker()
      #expect(await attacker.next { $0.type == 4 && !$0.isAck } != nil)
      for byte in Frame.headers(1, Frame.get, endsHeaders: false).bytes {
        attacker.send([byte])
        await Task.yield()
      }

      await attacker.untilClosed()
      #expect(world.defended(.headTime) == 1)
      #expect(await world.answers(3))
    }
  }

  @Test func `RPC-06 RPC-09 a message that does not end is given up`() async throws {
    try await Attacked.run(adjust: { $0.messageTimeMax = patience }) { world in
      let peer = try await world.attacker()
      let prefix: [UInt8] = [0, 0, 0, 0, 100]
      peer.send(
        .headers(1, Frame.call(EchoService.unary.path), ends: false), .data(1, prefix),
        .headers(3, Frame.call(EchoService.chat.path), ends: false), .data(3, prefix + [1]),
        .headers(5, Frame.post, ends: false), .data(5, [1]),
        // A stream between messages may wait for ever.
        .headers(7, Frame.call(EchoService.chat.path), ends: false),
        .data(7, Frame.message([1])))

      for stream: Int32 in [1, 3, 5] {
        #expect(await peer.next { $0.type == 3 && $0.stream == stream }?.word(at: 0) == 0)
      }
      #expect(world.defended(.messageTime) == 3)
      #expect(world.mesh.observer.counts.withLock { $0.finished[.deadlineExceeded] } == 2)
      peer.send(.data(7, Frame.message([2]), ends: true))
      #expect(await peer.next { $0.stream == 7 && $0.endsStream } != nil)
      peer.close()
    }
  }

  @Test func `RPC-09 a greeting that does not end is cut: preface, and TLS handshake`()
    async throws
  {
    try await Attacked.run(adjust: { $0.greetingMax = .milliseconds(300) }) { world in
      var attackers: [FramePeer] = []
      for bytes in [[], Array(Frame.preface[..<10]), [0x16, 3, 1]] {
        let attacker = try await FramePeer.connect(world.mesh.port, world.loop, greets: false)
        attacker.send(bytes)
        attackers.append(attacker)
      }
      for attacker in attackers { await attacker.untilClosed() }
      #expect(world.defended(.greeting) == 3)
      #expect(await world.answers(3))
    }
  }

  @Test func `RPC-09 a silent peer is pinged, and cut when it does not answer`() async throws {
    try await Attacked.run(adjust: {
      $0.keepaliveAfter = patience
      $0.keepaliveAckMax = .milliseconds(600)
    }) { world in
      let (silent, polite) = (try await world.attacker(), try await world.attacker())
      let answering: (FramePeer, Frame) -> Void = { peer, frame in
        if frame.type == 6, !frame.isAck {
          peer.send(Frame(type: 6, flags: 1, payload: frame.payload))
        }
      }
      polite.script = answering
      world.friend.script = answering

      await silent.untilClosed()

      #expect(silent.frames.contains { $0.type == 6 && !$0.isAck })
      #expect(world.defended(.keepalive) == 1)
      for _ in 0..<3 { #expect(await polite.next { $0.type == 6 && !$0.isAck } != nil) }
      #expect(await Attacked.answers(polite, 1))
      #expect(await world.answers(3))
      polite.close()
    }
  }

  @Test func `an idle connection is closed in order, one with a call is not`() async throws {
    try await Attacked.run(adjust: { $0.idleMax = .milliseconds(300) }) { world in
      let (idle, busy) = (try await world.attacker(), try await world.attacker())
      busy.send(.headers(1, Frame.call(EchoService.chat.path), ends: false))

      let end = await idle.next { $0.type == 7 }
      #expect(end?.word(at: 4) == 0)
      await idle.untilClosed()
      await world.friend.untilClosed()

      busy.send(.data(1, Frame.message([1]), ends: true))
      #expect(await busy.next { $0.stream == 1 && $0.endsStream } != nil)
      #expect(world.defended(.idle) >= 2)
      busy.close()
    }
  }

  @Test func `RPC-06 a peer that reads nothing is cut, with a bound on what waits for it`()
    async throws
  {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop) {
        $0.plaintextPolicy = .everything
        $0.limits.stallMax = .milliseconds(200)
        $0.responder = LongPage()
      }
      let deaf = try await FramePeer.connect(mesh.port, loop, [(4, 0x7fff_ffff)])
      deaf.send(.windowUpdate(0, 0x7000_0000), .headers(1, Frame.request("GET", "/long")))
      #expect(await deaf.next { $0.type == 0 } != nil)
      deaf.connection.pauseReading()

      #expect(await eventually { mesh.observer.defended(.stall) == 1 })
      #expect(await eventually { await mesh.server.connectionCount() == 0 })
      let friend = try await FramePeer.connect(mesh.port, loop)
      #expect(await Attacked.answers(friend, 1))
      deaf.close()
      friend.close()
      await mesh.server.stop()
    }
  }

  @Test func `RPC-06 a stream whose window stays closed is reset only where that is asked for`()
    async throws
  {
    for limit in [patience, nil] {
      try await Attacked.run(adjust: { $0.streamStallMax = limit }) { world in
        let peer = try await world.attacker([(4, 10)])
        peer.send(
          .headers(1, Frame.call(EchoService.repeat.path), ends: false),
          .data(1, Frame.message(Array("5".utf8)), ends: true))
        #expect(await peer.next { $0.type == 0 && $0.stream == 1 }?.payload.count == 10)
        if limit != nil {
          #expect(await peer.next { $0.type == 3 && $0.stream == 1 }?.word(at: 0) == 8)
          #expect(world.defended(.streamStall) == 1)
        } else {
          #expect(await world.answers(3))
          peer.send(.windowUpdate(1, 1_000))
          #expect(await peer.next { $0.stream == 1 && $0.endsStream } != nil)
        }
        #expect(await Attacked.answers(peer, 3))
        peer.close()
      }
    }
  }

  @Test func `RPC-09 connections beyond the bounds are closed, those before go on`() async throws {
    try await Attacked.run(adjust: { $0.connectionsMax = 3 }) { world in
      let second = try await world.attacker()
      let third = try await world.attacker()
      #expect(await Attacked.answers(third, 1))
      let fourth = try await world.attacker()
      await fourth.untilClosed()

      #expect(world.defended(.connections) == 1)
      #expect(await Attacked.answers(second, 1))
      second.close()
      #expect(await eventually { await world.mesh.server.connectionCount() == 2 })
      #expect(await world.answers(3))
      third.close()
    }
    try await Attacked.run(adjust: { $0.connectionsPerAddressMax = 2 }) { world in
      let second = try await world.attacker()
      #expect(await Attacked.answers(second, 1))
      let third = try await world.attacker()
      await third.untilClosed()
      #expect(world.defended(.connectionsPerAddress) == 1)
      second.close()
      #expect(await eventually { await world.mesh.server.connectionCount() == 1 })
      #expect(await world.answers(3))
    }
  }

  @Test func `RPC-09 TLS handshakes beyond the bound are not begun`() async throws {
    try await Attacked.run(adjust: { $0.handshakesMax = 2 }) { world in
      var slow: [FramePeer] = []
      for _ in 0..<2 {
        let peer = try await FramePeer.connect(world.mesh.port, world.loop, greets: false)
        peer.send([0x16, 3, 1, 2])
        slow.append(peer)
      }
      let third = try await FramePeer.connect(world.mesh.port, world.loop, greets: false)
      third.send([0x16, 3, 1, 2])
      await third.untilClosed()
      #expect(world.defended(.handshakes) == 1)
      #expect(await world.answers(3))

      for peer in slow { peer.close() }
      #expect(await eventually { await world.mesh.server.connectionCount() == 1 })
      let channel = try world.mesh.channel(on: world.loop)
      #expect(await channel.error(EchoService.unary) == nil)
      channel.close()
    }
  }
}
