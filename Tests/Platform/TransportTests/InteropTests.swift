import Calls
import Chrono
import Loop
import Security
import TestKit
import Testing
import Transport

/// Against the stock gRPC implementation of another language.
@Suite struct `Interop with grpcio` {
  @Test(.disabled(if: isGRPCMissing, "\(grpcioAdvice)"))
  func `RPC-01 RPC-02 RPC-03 RPC-08 a stock client meets this server without noticing`()
    async throws
  {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop)
      let folder = try TemporaryFolder()
      let client = try TestMesh.shared.credentials("gateway")
      _ = try folder.write("ca.pem", TestMesh.shared.authority.certificate)
      _ = try folder.write("client.pem", client.certificate)
      _ = try folder.write("client.key", client.key)

      let result = try await run(
        python, [fixture("python/grpc_client.py"), "localhost:\(mesh.port)", folder.path])

      let lines = result.output.split(separator: "\n")
      #expect(!lines.contains { $0.hasPrefix("FAILED") }, "\(result.output)")
      #expect(lines.last == "done", "\(result.output)")
      await mesh.server.stop()
    }
  }

  @Test(.disabled(if: isGRPCMissing, "\(grpcioAdvice)"))
  func `RPC-01 RPC-02 RPC-03 a stock server meets this client without noticing`() async throws {
    let server = try PythonServer("python/grpc_server.py")
    defer { server.stop() }
    let port = server.port
    try await withLoop { loop in
      let channel = NetworkChannel(
        to: "echo", at: [.tcp(host: "127.0.0.1", port: port)], options: ChannelOptions(),
        loop: loop)
      try await Self.exercise(channel, loop)
      channel.close()
    }
  }

  private static func exercise(_ channel: NetworkChannel, _ loop: EventLoop) async throws {
    var options = CallOptions()
    options.metadata.add("x-text", "v")
    options.metadata.add("x-bin", bytes: [0, 255])
    let large = [UInt8](repeating: 42, count: 1 << 20)
    let call = try await channel.open(EchoService.unary, options)
    try await call.send(large)
    try await call.finishSending()
    #expect(try await call.next() == large)
    #expect(try await call.next() == nil)
    #expect(call.initialMetadata.bytes("x-bin") == [0, 255])
    #expect(call.trailingMetadata.text("x-trailer") == "t")

    let failure = await channel.error(EchoService.fail)
    #expect(failure == RPCError(.failedPrecondition, "nö: 100%\n"))
    #expect(await channel.error(EchoService.method("Missing", .unary))?.code == .unimplemented)
    let deadline = CallOptions(deadline: loop.uptime + .milliseconds(50))
    #expect(await channel.error(EchoService.slow, deadline)?.code == .deadlineExceeded)

    let stream = try await channel.open(EchoService.repeat, CallOptions())
    try await stream.send(Array("2000".utf8))
    try await stream.finishSending()
    var count = 0
    while try await stream.next() != nil { count += 1 }
    #expect(count == 2_000)

    let join = try await channel.open(EchoService.join, CallOptions())
    for part in ["a", "b", "c"] { try await join.send(Array(part.utf8)) }
    try await join.finishSending()
    #expect(try await join.next() == Array("abc".utf8))

    let chat = try await channel.open(EchoService.chat, CallOptions())
    for round in 0..<50 {
      try await chat.send([UInt8(round)])
      #expect(try await chat.next() == [UInt8(round)])
    }
    chat.cancel()
  }
}
