import Calls
import Chrono
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
