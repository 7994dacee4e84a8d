import Calls
import Chrono
import Contracts
import Interop
import Loop
import Security
import TestKit
import Testing
import Transport

/// The interop cases against the stock gRPC implementation of another language, both ways.
@Suite struct `Interop cases with grpcio` {
  /// Its server sees no flags of messages, so it cannot refuse what came unpacked.
  private static let needFlags: Set<InteropCase> = [
    .clientCompressedUnary, .clientCompressedStreaming,
  ]

  @Test(.disabled(if: isGRPCMissing, "\(grpcioAdvice)"), arguments: [false, true])
  func `RPC-01 RPC-02 RPC-03 RPC-04 RPC-05 RPC-08 its client passes every case here`(
    overTLS: Bool
  ) async throws {
    let folder = try TemporaryFolder()
    try await withLoop { loop in
      let server = InteropServer(
        at: .tcp(host: "127.0.0.1", port: 0), tls: overTLS ? try Self.serverTLS() : nil,
        time: SystemTime(), loop: loop)
      let address = try await server.start()
      guard case .tcp(_, let port) = address else { preconditionFailure("\(address)") }
      let authority = try folder.write("ca.pem", TestMesh.shared.authority.certificate)

      let result = try await run(
        python,
        [fixture("python/interop/client.py"), "localhost:\(port)"] + (overTLS ? [authority] : []))

      let lines = result.output.split(separator: "\n")
      #expect(!lines.contains { $0.hasPrefix("FAILED") }, "\(result.output)")
      #expect(lines.last == "done", "\(result.output)")
      await server.stop(within: .seconds(5))
    }
  }

  @Test(.disabled(if: isGRPCMissing, "\(grpcioAdvice)"), arguments: [false, true])
  func `RPC-01 RPC-02 RPC-03 RPC-04 RPC-05 this client passes every case there`(
    overTLS: Bool
  ) async throws {
    let folder = try TemporaryFolder()
    let credentials = try TestMesh.shared.credentials("interop")
    let files = [
      try folder.write("server.pem", credentials.certificate),
      try folder.write("server.key", credentials.key),
    ]
    let server = try PythonServer("python/interop/server.py", overTLS ? files : [])
    defer { server.stop() }
    let address = Address.tcp(host: "127.0.0.1", port: server.port)
    try await withLoop { loop in
      var options = ChannelOptions()
      if overTLS {
        let trust = Trust.authorities(TestMesh.shared.authority.certificate)
        options.tls = try .client(nil, trust: trust, alpn: .h2)
        options.expectation = .host("localhost")
      }
      let open = { @Sendable [options] () -> InteropClient.Opened in
        let channel = NetworkChannel(to: "localhost", at: [address], options: options, loop: loop)
        return (channel, { channel.close() })
      }
      let (channel, close) = open()
      defer { close() }
      let client = InteropClient(
        channel: channel, settings: `Interop cases`.settings, time: SystemTime(), open: open)

      for test in InteropCase.allCases where !Self.needFlags.contains(test) {
        do throws(InteropFault) { try await client.run(test) } catch {
          Issue.record("\(test.rawValue): \(error)")
        }
      }
      try await Self.sendPacked(channel)
    }
  }

  /// Requests that came packed, and one that did not among them, are read there.
  private static func sendPacked(_ channel: any Channel) async throws {
    var options = CallOptions(deadline: SystemTime().uptime + .seconds(30))
    options.requestEncoding = .gzip
    let client = GrpcTesting.TestServiceClient(channel: channel)
    let call = try await client.streamingInputCall(options)
    var request = GrpcTesting.StreamingInputCallRequest()
    var payload = GrpcTesting.Payload()
    payload.body = [UInt8](repeating: 0, count: 100_000)
    request.payload = payload
    try await call.send(request)
    try await call.sendUncompressed(request)
    try await call.send(GrpcTesting.StreamingInputCallRequest())
    #expect(try await call.finish().aggregatedPayloadSize == 200_000)
  }

  private static func serverTLS() throws -> TLSContext {
    try .server(
      TestMesh.shared.credentials("interop"), clients: .notAsked, alpn: .h2OrHTTP11)
  }
}
