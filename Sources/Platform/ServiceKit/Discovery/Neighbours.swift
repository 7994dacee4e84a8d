package import Calls
internal import Contracts
package import Loop
package import Security
internal import Transport

/// Makes channels to other services: discovery itself from the port table, all others through it.
package final class Neighbours: Sendable {
  package let directory: ServiceDirectory
  private let ports: PortTable
  private let host: String
  private let client: TLSContext?
  private let callTimeMax: Duration
  private let loop: EventLoop

  /// `client` is nil for plaintext, which only tests speak.
  package init(
    ports: PortTable, host: String, client: TLSContext?, callTimeMax: Duration, loop: EventLoop
  ) {
    self.ports = ports
    self.host = host
    self.client = client
    self.callTimeMax = callTimeMax
    self.loop = loop
    directory = ServiceDirectory(ports: ports, host: host)
  }

  package func channel(to service: ServiceName) -> any Channel {
    var options = ChannelOptions(tls: client)
    options.defaultTimeout = callTimeMax
    // A neighbour on this machine is back within a second of its death.
    options.backoff.initial = .milliseconds(100)
    options.backoff.max = .seconds(2)
    // A neighbour that hangs, or whose machine is gone, is left within a minute; our own servers take
    // pings as often as this.
    options.keepaliveAfter = .seconds(30)
    if service == "discovery" {
      let address = ports.port(of: service).map { Address.tcp(host: host, port: $0) }
      return NetworkChannel(
        to: service.text, at: address.map { [$0] } ?? [], options: options, loop: loop)
    }
    return NetworkChannel(
      to: service.text, resolver: DirectoryResolver(directory: directory), options: options,
      loop: loop)
  }

  /// Keeps the directory fresh, for ever.
  func follow(_ discovery: any Channel) async throws {
    try await directory.follow(DiscoveryV1.DiscoveryServiceClient(channel: discovery))
  }
}

/// Answers from the directory's memory; asking it often costs nothing.
struct DirectoryResolver: NameResolver {
  let directory: ServiceDirectory

  var refreshInterval: Duration? { .milliseconds(500) }

  func addresses(of service: String) async throws(RPCError) -> [Address] {
    directory.places(of: ServiceName(service)).map { .tcp(host: $0.host, port: $0.port) }
  }
}
