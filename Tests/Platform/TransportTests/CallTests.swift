import Calls
import Chrono
import Loop
import Synchronization
import TestKit
import Testing
import Transport

/// Every test runs in process, over TCP, over TLS and over a Unix socket: the twin is one.
@Suite struct `Calls` {
  @Test(arguments: Route.allCases) func `a unary call carries its message both ways`(
    _ route: Route
  ) async throws {
    try await EchoWorld.run(route) { world in
      for message in ["hello", "", String(repeating: "0123456789abcdef", count: 200_000)] {
        let answer = try await world.unary(EchoService.unary, message)
        #expect(answer == message)
      }
    }
  }

  @Test(arguments: Route.allCases) func `RPC-01 a status travels with its message and details`(
    _ route: Route
  ) async throws {
    try await EchoWorld.run(route) { world in
      #expect(await world.error(EchoService.fail) == EchoService.failure)
      let broken = await world.error(EchoService.broken)
      #expect(broken == RPCError(.internalError, "the service failed"))
      #expect(world.observer.counts.withLock { $0.failed } == 1)
    }
  }

  @Test func `GWY-07 an error of any length comes with what fits into headers`() async throws {
    try await EchoWorld.run(.plaintext) { world in
      let error = await world.error(EchoService.wordy)

      #expect(error?.code == .invalidArgument)
      let start = "é\u{301}é\u{301}".unicodeScalars
      #expect(error?.message.unicodeScalars.starts(with: start) == true)
      #expect(error?.message.hasSuffix("...") == true)
      #expect((error?.message.utf8.count ?? 0) <= 1_027)
      #expect(error?.details.isEmpty == true)
    }
  }

  @Test(arguments: Route.allCases) func `an unknown method is unimplemented`(
    _ route: Route
  ) async throws {
    try await EchoWorld.run(route) { world in
      let error = await world.error(EchoService.method("Missing", .unary))

      #expect(error?.code == .unimplemented)
      #expect(world.observer.counts.withLock { $0.refused } == 1)
    }
  }

  @Test(arguments: Route.allCases) func `blanks around a value of metadata are not part of it`(
    _ route: Route
  ) async throws {
    try await EchoWorld.run(route) { world in
      for (value, expected) in [(" Bearer ", "Bearer"), ("  ", ""), ("a b", "a b")] {
        var options = CallOptions()
        options.metadata.add("x-text", value)

        let call = try await world.channel.open(EchoService.unary, options)
        try await call.send([1])
        try await call.finishSending()
        #expect(try await call.next() == [1])

        #expect(call.initialMetadata.text("x-text") == expected)
        call.cancel()
      }
    }
  }

  @Test(arguments: Route.allCases) func `metadata travels both ways, bytes and text`(
    _ route: Route
  ) async throws {
    try await EchoWorld.run(route) { world in
      var options = CallOptions()
      options.metadata.add("x-text", "v")
      options.metadata.add("x-bin", bytes: [0, 255, 10])

      let call = try await world.channel.open(EchoService.unary, options)
      try await call.send([1])
      try await call.finishSending()
      #expect(try await call.next() == [1])
      #expect(try await call.next() == nil)

      #expect(call.initialMetadata.text("x-text") == "v")
      #expect(call.initialMetadata.bytes("x-bin") == [0, 255, 10])
      #expect(call.trailingMetadata.text("x-trailer") == "t")
    }
  }

  @Test(arguments: Route.allCases) func `trace and deadline travel`(_ route: Route) async throws {
    try await EchoWorld.run(route) { world in
      let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
      let deadline = world.loop.uptime + .seconds(3)
      let options = CallOptions(deadline: deadline, traceParent: "00-\(trace)-00f067aa0ba902b7-01")

      _ = try await world.unary(EchoService.unary, "", options)

      let (traceID, remaining) = world.service.seen.withLock { ($0.traceID, $0.remaining) }
      #expect(traceID == trace)
      let left = try #require(remaining)
      #expect(left > .seconds(2) && left <= .seconds(3))
    }
  }

  @Test(arguments: Route.allCases) func `RPC-02 a server streams and then ends`(
    _ route: Route
  ) async throws {
    try await EchoWorld.run(route) { world in
      let call = try await world.channel.open(EchoService.repeat, CallOptions())
      try await call.send(Array("5000".utf8))
      try await call.finishSending()
      var count = 0
      while let message = try await call.next() { count += message.count / 100 }

      #expect(count == 5_000)
    }
  }

  @Test(arguments: Route.allCases) func `RPC-03 client and bidirectional streams`(
    _ route: Route
  ) async throws {
    try await EchoWorld.run(route) { world in
      let join = try await world.channel.open(EchoService.join, CallOptions())
      for part in ["a", "b", "c"] { try await join.send(Array(part.utf8)) }
      try await join.finishSending()
      #expect(try await join.next() == Array("abc".utf8))
      #expect(try await join.next() == nil)

      let chat = try await world.channel.open(EchoService.chat, CallOptions())
      for round in 0..<100 {
        try await chat.send([UInt8(round)])
        #expect(try await chat.next() == [UInt8(round)])
      }
      try await chat.finishSending()
      #expect(try await chat.next() == nil)
    }
  }

  @Test(arguments: Route.allCases) func `RPC-04 a deadline ends the call on both sides`(
    _ route: Route
  ) async throws {
    try await EchoWorld.run(route) { world in
      _ = try await world.unary(EchoService.unary)
      // Other processes may hold up any one try; the best of them shows what the code does.
      var best = Duration.seconds(1)
      for _ in 0..<20 {
        let began = world.loop.uptime
        let error = await world.error(
          EchoService.slow, "", CallOptions(deadline: began + .milliseconds(1)))
        #expect(error?.code == .deadlineExceeded)
        best = min(best, world.loop.uptime - began)
      }

      #expect(best < .milliseconds(5))
      // A deadline so short may pass before the call has left.
      #expect(await eventually { world.service.seen.withLock { $0.cancelled } > 0 })
    }
  }

  @Test(arguments: Route.allCases) func `RPC-05 dropping a call cancels its handler and is counted`(
    _ route: Route
  ) async throws {
    try await EchoWorld.run(route) { world in
      let call = try await world.channel.open(EchoService.silence, CallOptions())
      try await call.send([1])
      #expect(await eventually { world.observer.counts.withLock { $0.started } == 1 })

      call.cancel()

      #expect(await eventually { world.service.seen.withLock { $0.cancelled } == 1 })
      #expect(world.observer.counts.withLock { $0.cancelled } == 1)
      await #expect(throws: RPCError(.cancelled, "the call was cancelled")) {
        try await call.next()
      }
    }
  }

  @Test(arguments: Route.allCases) func `cancelling the caller's task cancels the call`(
    _ route: Route
  ) async throws {
    try await EchoWorld.run(route) { world in
      let task = Task(executorPreference: world.loop) { await world.error(EchoService.slow) }
      #expect(await eventually { world.observer.counts.withLock { $0.started } == 1 })

      task.cancel()

      #expect(await task.value?.code == .cancelled)
      #expect(await eventually { world.service.seen.withLock { $0.cancelled } == 1 })
    }
  }

  @Test(arguments: Route.allCases)
  func `RPC-06 a reader that pauses bounds the writer, and loses nothing`(
    _ route: Route
  ) async throws {
    try await EchoWorld.run(route) { world in
      let call = try await world.channel.open(EchoService.repeat, CallOptions())
      try await call.send(Array("100000".utf8))
      try await call.finishSending()
      #expect(try await call.next() != nil)

      // Nobody reads: the handler comes to a halt.
      var before = -1
      let halted = await eventually {
        let now = world.service.seen.withLock { $0.sent }
        defer { before = now }
        await world.loop.sleep(for: .milliseconds(20))
        return now == before
      }
      #expect(halted)
      let sent = world.service.seen.withLock { $0.sent }
      // Windows and buffers of both sides hold a megabyte or two of the ten.
      #expect(sent < 30_000, "the handler sent \(sent) messages of 100 bytes to nobody")

      var count = 1
      while try await call.next() != nil { count += 1 }
      #expect(count == 100_000)
    }
  }

  @Test(arguments: Route.allCases) func `a handler that does not read holds its client back`(
    _ route: Route
  ) async throws {
    try await EchoWorld.run(route) { world in
      let call = try await world.channel.open(EchoService.silence, CallOptions())
      let message = [UInt8](repeating: 1, count: 10_000)
      let sent = Counter()
      let writer = Task(executorPreference: world.loop) {
        do throws(RPCError) {
          while true {
            try await call.send(message)
            sent.add()
          }
        } catch {}
      }
      var before = -1
      let halted = await eventually {
        defer { before = sent.value }
        await world.loop.sleep(for: .milliseconds(20))
        return sent.value == before
      }
      #expect(halted)
      #expect(sent.value < 200, "\(sent.value) messages of 10,000 bytes were taken by nobody")

      call.cancel()
      await writer.value
    }
  }

  @Test(arguments: Route.allCases) func `interceptors run in order and may refuse`(
    _ route: Route
  ) async throws {
    let trail = Trail()
    try await EchoWorld.run(
      route, interceptors: [Recording("outer", trail), Recording("inner", trail), Refusing()]
    ) { world in
      let answer = try await world.unary(EchoService.unary, "x")
      #expect(answer == "x")
      #expect(trail.words == ["outer in", "inner in", "inner out", "outer out"])

      var options = CallOptions()
      options.metadata.add("x-refuse", "yes")
      #expect(await world.error(EchoService.unary, "x", options)?.code == .permissionDenied)
    }
  }

  @Test(arguments: Route.allCases) func `a thousand calls at once`(_ route: Route) async throws {
    try await EchoWorld.run(route) { world in
      let sum = try await withThrowingTaskGroup(of: Int.self) { group in
        for number in 0..<1_000 {
          group.addTask { Int(try await world.unary(EchoService.unary, String(number)))! }
        }
        return try await group.reduce(0, +)
      }
      #expect(sum == 499_500)
      #expect(world.observer.counts.withLock { $0.finished[.ok] } == 1_000)
    }
  }
}
