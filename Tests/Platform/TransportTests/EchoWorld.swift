import Calls
import Loop
import Security
import TestKit
import Testing
import Transport

/// The ways to reach a service; every call must behave the same on all of them.
enum Route: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case inProcess = "in process"
  case plaintext = "TCP"
  case tls = "TLS"
  case unixSocket = "Unix socket"

  var testDescription: String { rawValue }
}

/// An echo service, a channel to it, and what is between them.
struct EchoWorld: Sendable {
  let loop: EventLoop
  let service: EchoService
  let observer: CountingObserver
  let channel: any Channel
  let server: Server?
  let address: Address?

  static func run(
    _ route: Route, interceptors: [any ServerInterceptor] = [],
    adjust: @escaping @Sendable (inout ServerConfiguration, inout ChannelOptions) -> Void = {
      _, _ in
    },
    _ body: @escaping @Sendable (EchoWorld) async throws -> Void
  ) async throws {
    let folder = try TemporaryFolder()
    try await withLoop { loop in
      let (service, observer) = (EchoService(), CountingObserver())
      if route == .inProcess {
        let channel = InProcessChannel(
          methods: service.methods, interceptors: interceptors, observer: observer,
          identity: Identity(service: "gateway"), loop: loop)
        try await body(
          EchoWorld(
            loop: loop, service: service, observer: observer, channel: channel, server: nil,
            address: nil))
        return
      }
      var configuration = ServerConfiguration(
        address: route == .unixSocket
          ? .unix(path: folder.path + "/echo.sock") : .tcp(host: "127.0.0.1", port: 0),
        methods: service.methods)
      var options = ChannelOptions()
      configuration.interceptors = interceptors
      configuration.observer = observer
      if route == .tls {
        configuration.tls = try TestMesh.shared.serverTLS("echo")
        options.tls = try TestMesh.shared.clientTLS("gateway")
      } else {
        configuration.plaintextPolicy = .everything
      }
      adjust(&configuration, &options)
      let server = Server(configuration, loop: loop)
      let address = try await server.start()
      let channel = NetworkChannel(to: "echo", at: [address], options: options, loop: loop)
      let result: Result<Void, any Error>
      do {
        result = .success(
          try await body(
            EchoWorld(
              loop: loop, service: service, observer: observer, channel: channel, server: server,
              address: address)))
      } catch { result = .failure(error) }
      channel.close()
      await server.stop()
      try result.get()
    }
  }

  func unary(
    _ method: MethodDescriptor, _ text: String = "", _ options: CallOptions = CallOptions()
  ) async throws -> String {
    String(decoding: try await channel.unary(method, Array(text.utf8), options), as: UTF8.self)
  }

  /// The error of a call that must fail.
  func error(
    _ method: MethodDescriptor, _ text: String = "", _ options: CallOptions = CallOptions()
  ) async -> RPCError? {
    do throws(RPCError) {
      _ = try await channel.unary(method, Array(text.utf8), options)
      return nil
    } catch {
      return error
    }
  }
}
