package import Calls
internal import Contracts
package import Loop
package import Security
package import Telemetry
internal import Transport

/// Makes channels to other services: discovery itself from the port table, all others through it.
package final class Neighbours: Sendable {
  package let directory: ServiceDirectory
  private let ports: PortTable
  private let mesh: MeshSettings
  private let client: TLSContext?
  private let metrics: UpstreamMetrics
  private let loop: EventLoop

  /// `client` is nil for plaintext, which only tests speak.
  package init(
    ports: PortTable, mesh: MeshSettings, client: TLSContext?, metrics: MetricsRegistry,
    loop: EventLoop
  ) {
    self.ports = ports
    self.mesh = mesh
    self.client = client
    self.metrics = UpstreamMetrics(metrics)
    self.loop = loop
    directory = ServiceDirectory(ports: ports, host: mesh.advertiseHost)
  }

  package func channel(to service: ServiceName) -> any Channel {
    let options = options(for: service)
    if service == "discovery" {
      let address = ports.port(of: service).map {
        Address.tcp(host: mesh.advertiseHost, port: $0)
      }
      return NetworkChannel(
        to: service.text, at: address.map { [$0] } ?? [], options: options, loop: loop)
    }
    return NetworkChannel(
      to: service.text, resolver: DirectoryResolver(directory: directory), options: options,
      loop: loop)
  }

  private func options(for service: ServiceName) -> ChannelOptions {
    var options = ChannelOptions(tls: client)
    options.defaultTimeout = mesh.callTimeMax
    options.connectTimeout = .seconds(5)
    // A neighbour on this machine is back within a second of its death.
    options.backoff.initial = .milliseconds(100)
    options.backoff.max = .seconds(2)
    // A neighbour that hangs, or whose machine is gone, is left within a minute; our own servers take
    // pings as often as this.
    options.keepaliveAfter = .seconds(30)
    options.connectionsPerAddress = mesh.upstream.connectionsPerInstance
    options.loadBalancing =
      switch mesh.upstream.loadBalancing {
      case .roundRobin: .roundRobin
      case .leastOutstanding: .leastOutstanding
      }
    options.callsMax = mesh.upstream.callsOutstandingMax
    options.retry.attemptsMax = mesh.upstream.retryAttemptsMax
    options.circuit.failuresMax = mesh.upstream.circuitFailuresMax
    options.circuit.pause = mesh.upstream.circuitPause
    options.circuit.pauseMax = mesh.upstream.circuitPauseMax
    // As discovery's own answer: who is not ready may still answer what it can.
    options.health = HealthChecking()
    options.health?.usesAllWhenNoneServes = true
    // A mesh has few instances of a service, and they are back soon.
    options.outliers = OutlierSettings()
    options.outliers?.ejection = .seconds(5)
    options.outliers?.ejectionMax = .seconds(60)
    options.outliers?.ejectedPercentMax = 50
    options.observer = metrics.observer(of: service)
    return options
  }

  /// Keeps the directory fresh, for ever.
  func follow(_ discovery: any Channel) async throws {
    try await directory.follow(DiscoveryV1.DiscoveryServiceClient(channel: discovery))
  }
}

/// Answers from the directory's memory, and announces what discovery tells it.
struct DirectoryResolver: NameResolver {
  let directory: ServiceDirectory

  var refreshInterval: Duration? { nil }

  func addresses(of service: String) async throws(RPCError) -> [Address] {
    directory.places(of: ServiceName(service)).map { .tcp(host: $0.host, port: $0.port) }
  }

  func watch(_ service: String, _ announced: @escaping @Sendable () -> Void) -> NameWatch? {
    directory.onChange { if $0.text == service { announced() } }
  }
}
