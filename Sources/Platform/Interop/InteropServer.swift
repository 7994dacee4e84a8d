internal import Calls
package import Chrono
internal import Contracts
internal import Glibc
package import Loop
package import Security
package import Transport

/// TestService on a port of this machine, with health, reflection and a page, for clients that try
/// out this transport. Whoever reaches the port may call: it is no part of a mesh.
package final class InteropServer: Sendable {
  private let server: Server
  private let health = HealthService()

  /// Without `tls` everything is plaintext; with it, the same port speaks both.
  package init(at address: Address, tls: TLSContext?, time: any TimeSource, loop: EventLoop) {
    let service = InteropService(
      serverID: String(UInt64.random(in: 1...UInt64.max), radix: 16),
      hostname: Self.hostname, time: time)
    health.set(.serving)
    health.set(.serving, of: GrpcTesting.TestService.name)
    let methods = service.servedMethods + health.methods
    var configuration = ServerConfiguration(
      address: address, tls: tls,
      methods: methods + ReflectionService(serving: methods).bothVersions, responder: InteropPage())
    configuration.plaintextPolicy = .everything
    server = Server(configuration, loop: loop)
  }

  private static var hostname: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "" }
    return name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  /// The address with the port that was chosen for port 0.
  package func start() async throws(TransportError) -> Address { try await server.start() }

  /// Ends in order: calls that run are finished, at most for so long.
  package func stop(within limit: Duration) async {
    health.drain()
    await server.drain(within: limit)
  }
}

/// `/` for tools that know HTTP only, and health as every port has it.
struct InteropPage: HTTPResponder {
  func respond(to request: HTTPRequest) async -> HTTPResponse {
    switch (request.path, request.method) {
    case ("/", "GET"), ("/", "HEAD"), ("/", "POST"):
      HTTPResponse(status: 200, contentType: "text/plain", body: "grpc.testing.TestService\n")
    case ("/health/live", "GET"), ("/health/ready", "GET"):
      HTTPResponse(status: 200, contentType: "text/plain", body: "ok\n")
    case ("/", _):
      HTTPResponse(
        status: 405, contentType: "text/plain", body: "GET, HEAD or POST\n",
        headers: [HTTPHeader("allow", "GET, HEAD, POST")])
    default: HTTPResponse(status: 404, contentType: "text/plain", body: "only / is here\n")
    }
  }
}
