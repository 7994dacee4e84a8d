import Calls
import Contracts
import Loop
import Security
import TestKit
import Transport

/// A server as the services run it: TLS with client certificates, health, reflection, and a
/// responder.
struct MeshServer: Sendable {
  let server: Server
  let service: EchoService
  let health: HealthService
  let observer: CountingObserver
  let address: Address

  var port: Int {
    if case .tcp(_, let port) = address { return port }
    return 0
  }

  static func start(
    on loop: EventLoop, tls: TLSContext? = nil, port: Int = 0,
    adjust: (inout ServerConfiguration) -> Void = { _ in }
  ) async throws -> MeshServer {
    let (service, health, observer) = (EchoService(), HealthService(), CountingObserver())
    health.set(.serving)
    let methods = service.methods + health.methods
    var configuration = ServerConfiguration(
      address: .tcp(host: "127.0.0.1", port: port),
      tls: try tls ?? TestMesh.shared.serverTLS("echo"),
      methods: methods + ReflectionService(serving: methods).bothVersions, responder: Pages())
    configuration.observer = observer
    adjust(&configuration)
    let server = Server(configuration, loop: loop)
    let address = try await server.start()
    return MeshServer(
      server: server, service: service, health: health, observer: observer, address: address)
  }

  /// On a port that is still free when the server has stopped.
  static func startForRestarts(
    on loop: EventLoop, adjust: (inout ServerConfiguration) -> Void = { _ in }
  ) async throws -> MeshServer {
    try await StablePort.use { try await start(on: loop, port: $0, adjust: adjust) }
  }

  func channel(
    as name: String = "gateway", on loop: EventLoop, to target: String = "echo",
    adjust: (inout ChannelOptions) -> Void = { _ in }
  ) throws -> NetworkChannel {
    var options = ChannelOptions(tls: try TestMesh.shared.clientTLS(name))
    adjust(&options)
    return NetworkChannel(to: target, at: [address], options: options, loop: loop)
  }
}

/// Health and metrics as every service has them, and a page behind them.
struct Pages: HTTPResponder {
  func respond(to request: HTTPRequest) async -> HTTPResponse {
    switch request.path {
    case "/health/live", "/health/ready":
      HTTPResponse(status: 200, contentType: "text/plain", body: "ok\n")
    case "/metrics": HTTPResponse(status: 200, contentType: "text/plain", body: "up 1\n")
    case "/echo":
      HTTPResponse(
        status: 200, headers: [HTTPHeader("x-version", "\(request.version)")], body: request.body)
    default: HTTPResponse(status: 404, contentType: "text/plain", body: "\(request.identity)")
    }
  }
}

extension Channel {
  /// The error of a unary call that must fail.
  func error(
    _ method: MethodDescriptor, _ options: CallOptions = CallOptions()
  ) async -> RPCError? {
    do throws(RPCError) {
      _ = try await unary(method, [1, 2, 3], options)
      return nil
    } catch {
      return error
    }
  }
}
