import Calls
import Chrono
import Contracts
import Interop
import Loop
import Security
import TestKit
import Testing
import Transport

/// The ways to the interop service; every case must pass on all of them.
enum InteropRoute: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case inProcess = "in process"
  case plaintext = "TCP"
  case tls = "TLS"
  case unixSocket = "Unix socket"

  var testDescription: String { rawValue }
}

/// Our client against our server.
@Suite struct `Interop cases` {
  @Test(arguments: InteropRoute.allCases)
  func `RPC-01 RPC-02 RPC-03 RPC-04 RPC-05 every case passes`(_ route: InteropRoute) async throws {
    let folder = try TemporaryFolder()
    try await withLoop { loop in
      try await Self.withClient(route, folder, loop) { client in
        for test in InteropCase.allCases {
          do throws(InteropFault) { try await client.run(test) } catch {
            Issue.record("\(test.rawValue): \(error)")
          }
        }
      }
    }
  }

  /// The cases must be able to fail: here is a server that serves none of it.
  @Test func `a server without the service fails every case that asks something of it`()
    async throws
  {
    let content: Set<InteropCase> = [
      .unimplementedMethod, .unimplementedService, .cancelAfterBegin,
    ]
    try await withLoop { loop in
      let channel = InProcessChannel(methods: [], loop: loop)
      let client = InteropClient(
        channel: channel, settings: Self.settings, time: SystemTime()
      ) { (channel, {}) }
      for test in InteropCase.allCases where !content.contains(test) {
        await #expect(throws: InteropFault.self, "\(test)") { try await client.run(test) }
      }
    }
  }

  @Test func `a soak fails when too many iterations do, or are slow, or time is up`() async throws {
    try await withLoop { loop in
      let service = InteropService(serverID: "1", hostname: "here", time: SystemTime())
      let (good, bad) = (
        InProcessChannel(methods: service.servedMethods, loop: loop),
        InProcessChannel(methods: [], loop: loop)
      )
      func outcome(
        _ channel: InProcessChannel, _ adjust: (inout InteropSettings) -> Void
      ) async -> String {
        var settings = Self.settings
        adjust(&settings)
        let client = InteropClient(
          channel: channel, settings: settings, time: SystemTime()
        ) { (channel, {}) }
        do throws(InteropFault) {
          try await client.run(.rpcSoak)
          return "ok"
        } catch {
          return error.description
        }
      }
      #expect(await outcome(good) { _ in } == "ok")
      #expect(await outcome(bad) { $0.soakFailuresMax = 5 } == "ok")
      #expect(await outcome(bad) { $0.soakFailuresMax = 4 }.hasPrefix("5 of 5 iterations failed"))
      #expect(
        await outcome(good) { $0.soakLatencyMax = .nanoseconds(1) }.contains("within"))
      #expect(
        await outcome(good) {
          ($0.soakLatencyMax, $0.soakTimeMax) = (.nanoseconds(1), .seconds(20))
        }.contains("one took"))
    }
  }

  @Test func `requests that ask for too much, or for nonsense, are refused`() async throws {
    try await withLoop { loop in
      let service = InteropService(serverID: "1", hostname: "here", time: SystemTime())
      let channel = InProcessChannel(methods: service.servedMethods, loop: loop)
      let client = GrpcTesting.TestServiceClient(channel: channel)
      for (size, code) in [
        (Int32(-1), StatusCode.invalidArgument), (.max, .resourceExhausted), (0, .ok),
      ] {
        var request = GrpcTesting.SimpleRequest()
        request.responseSize = size
        request.fillServerId = true
        var found = StatusCode.ok
        do throws(RPCError) {
          let response = try await client.unaryCall(request)
          #expect(response.serverId == "1" && response.hostname == "here")
        } catch { found = error.code }
        #expect(found == code, "\(size)")
      }
      let call = try await client.halfDuplexCall()
      for _ in 0...InteropService.heldRequestsMax {
        do throws(RPCError) { try await call.send(GrpcTesting.StreamingOutputCallRequest()) } catch
        {}
      }
      await #expect(throws: RPCError.self) { try await call.next() }
    }
  }

  static var settings: InteropSettings {
    var settings = InteropSettings()
    settings.consumerPause = .milliseconds(1)
    // A busy machine makes one of a hundred slow.
    settings.soakLatencyMax = .seconds(20)
    settings.soakIterations = 5
    return settings
  }

  static func withClient(
    _ route: InteropRoute, _ folder: TemporaryFolder, _ loop: EventLoop,
    _ body: @Sendable (InteropClient) async throws -> Void
  ) async throws {
    if route == .inProcess {
      let service = InteropService(serverID: "1", hostname: "here", time: SystemTime())
      let channel = InProcessChannel(methods: service.servedMethods, loop: loop)
      try await body(
        InteropClient(channel: channel, settings: settings, time: SystemTime()) { (channel, {}) })
      return
    }
    let credentials = try TestMesh.shared.credentials("interop")
    let server = InteropServer(
      at: route == .unixSocket
        ? .unix(path: folder.path + "/interop.sock") : .tcp(host: "127.0.0.1", port: 0),
      tls: route == .tls
        ? try .server(credentials, clients: .notAsked, alpn: .h2OrHTTP11) : nil,
      time: SystemTime(), loop: loop)
    let address = try await server.start()
    var options = ChannelOptions()
    if route == .tls {
      options.tls = try .client(
        nil, trust: .authorities(TestMesh.shared.authority.certificate), alpn: .h2)
      options.expectation = .host("localhost")
    }
    let open = { @Sendable [options] () -> InteropClient.Opened in
      let channel = NetworkChannel(to: "localhost", at: [address], options: options, loop: loop)
      return (channel, { channel.close() })
    }
    let (channel, close) = open()
    let client = InteropClient(
      channel: channel, settings: settings, time: SystemTime(), open: open)
    let result: Result<Void, any Error>
    do { result = .success(try await body(client)) } catch { result = .failure(error) }
    close()
    await server.stop(within: .seconds(5))
    try result.get()
  }
}
