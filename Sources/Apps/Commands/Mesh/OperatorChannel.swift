internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import Security
internal import ServiceKit
internal import Transport

/// How a person at the shell calls services: with the operator's certificate of this mesh, at the
/// ports of its table.
struct OperatorChannel: Sendable {
  private let options: MeshOptions
  private let ports: PortTable
  private let tls: TLSContext

  init(_ options: MeshOptions) throws {
    self.options = options
    ports = try options.ports()
    guard fileExists(options.state.certificate(of: "operator")) else {
      throw CommandError(
        "\(options.state.path) has no operator's certificate: no mesh was brought up there; "
          + "say --state DIR")
    }
    tls = try MeshTLS(options.state, name: "operator", facesPeople: false).client
  }

  func channel(to service: ServiceName, _ loop: EventLoop) throws -> NetworkChannel {
    guard let port = ports.port(of: service) else {
      let known = ports.services.map(\.name.text)
      throw UsageError(
        "ports.toml has no \"\(service)\"\(suggestion(for: service.text, among: known))")
    }
    return NetworkChannel(
      to: service.text, at: [.tcp(host: "127.0.0.1", port: port)],
      options: ChannelOptions(tls: tls), loop: loop)
  }

  /// Logs a bootstrap user in.
  func token(of user: String, _ loop: EventLoop) async throws -> String {
    let users = try BootstrapUsers(reading: options.state).users
    guard let found = users.first(where: { $0.name == user }) else {
      throw UsageError(
        "\(options.state.credentials) has no user \"\(user)\""
          + suggestion(for: user, among: users.map(\.name)))
    }
    let channel = try channel(to: "auth", loop)
    defer { channel.close() }
    var request = AuthV1.IssueTokenRequest()
    request.username = found.name
    request.password = found.password
    var call = CallOptions()
    call.deadline = loop.uptime + .seconds(10)
    do {
      return try await AuthV1.AuthServiceClient(channel: channel).issueToken(request, call)
        .accessToken
    } catch {
      throw CommandError("auth gives no token: \(error.code.name): \(error.message)")
    }
  }
}
