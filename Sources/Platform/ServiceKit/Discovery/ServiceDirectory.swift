internal import Calls
internal import Contracts
private import Synchronization
package import Transport

/// Where services run, as discovery says: a cache kept fresh by one watch over everything.
///
/// While discovery is away the last answers stay; a service that discovery has never named is sought
/// at its port of ports.toml.
package final class ServiceDirectory: Sendable {
  package struct Place: Sendable, Hashable {
    package let host: String
    package let port: Int
  }

  private let ports: PortTable
  private let host: String
  private let state = Mutex(State())

  private struct State {
    var instances: [String: [String: DiscoveryV1.Instance]] = [:]
    /// What a fresh watch has named so far; it replaces `instances` when it is complete.
    var incoming: [String: [String: DiscoveryV1.Instance]]?
    var watchers: [Int: @Sendable (ServiceName) -> Void] = [:]
    var lastWatcher = 0
  }

  /// `host` is where a service is sought that discovery has not named.
  package init(ports: PortTable, host: String) {
    self.ports = ports
    self.host = host
  }

  /// Serving instances, sorted; when there is none that serves, those known; when none is known, the
  /// port table's.
  package func places(of service: ServiceName) -> [Place] {
    let known = state.withLock { Array(($0.instances[service.text] ?? [:]).values) }
    let serving = known.filter { $0.health == .serving }
    if !known.isEmpty {
      return (serving.isEmpty ? known : serving)
        .map { Place(host: $0.host, port: Int($0.port)) }
        .sorted { ($0.host, $0.port) < ($1.host, $1.port) }
    }
    return ports.port(of: service).map { [Place(host: host, port: $0)] } ?? []
  }

  /// Calls `body` whenever something is heard of a service's instances, on the thread that heard it,
  /// until the watch is ended.
  package func onChange(_ body: @escaping @Sendable (ServiceName) -> Void) -> NameWatch {
    let id = state.withLock { state in
      state.lastWatcher += 1
      state.watchers[state.lastWatcher] = body
      return state.lastWatcher
    }
    return NameWatch { [weak self] in self?.state.withLock { $0.watchers[id] = nil } }
  }

  /// Follows discovery until the watch ends; throws when it breaks, and is then called again.
  func follow(_ discovery: DiscoveryV1.DiscoveryServiceClient) async throws {
    state.withLock { $0.incoming = [:] }
    let watch = try await discovery.watch(DiscoveryV1.WatchRequest())
    defer { watch.cancel() }
    while let event = try await watch.next() { take(event) }
    throw RPCError(.unavailable, "discovery ended the watch")
  }

  func take(_ event: DiscoveryV1.WatchResponse) {
    let changed: [String] = state.withLock { state in
      if event.kind == .synced {
        guard let complete = state.incoming else { return [] }
        let names = Set(complete.keys).union(state.instances.keys)
        // A discovery that has just been started knows nobody yet: services that it does not name are
        // kept where they were until it does.
        state.instances.merge(complete) { _, new in new }
        state.incoming = nil
        return names.sorted()
      }
      guard let instance = event.instance else { return [] }
      if state.incoming != nil {
        if event.kind != .removed {
          state.incoming![instance.service, default: [:]][instance.instanceId] = instance
        }
        return []
      }
      if event.kind == .removed {
        state.instances[instance.service]?[instance.instanceId] = nil
      } else {
        // Whoever listens there now has taken the place of one whose end a restarted discovery never
        // heard of.
        var known = (state.instances[instance.service] ?? [:]).filter { _, other in
          other.host != instance.host || other.port != instance.port
        }
        known[instance.instanceId] = instance
        state.instances[instance.service] = known
      }
      return [instance.service]
    }
    let watchers = state.withLock { Array($0.watchers.values) }
    for name in changed { for watcher in watchers { watcher(ServiceName(name)) } }
  }
}
