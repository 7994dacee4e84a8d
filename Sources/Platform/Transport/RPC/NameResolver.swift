package import Calls

/// Where the instances of a service are: discovery, ports.toml, or a fixed list.
package protocol NameResolver: Sendable {
  /// How often it is asked again; nil when it announces changes, or there are none.
  var refreshInterval: Duration? { get }
  /// Empty while no instance is known.
  func addresses(of service: String) async throws(RPCError) -> [Address]
  /// Calls `announced`, on any thread, whenever `addresses` may answer something else or an instance
  /// has been heard of again, until the watch is ended.
  func watch(_ service: String, _ announced: @escaping @Sendable () -> Void) -> NameWatch?
}

extension NameResolver {
  package func watch(
    _ service: String, _ announced: @escaping @Sendable () -> Void
  ) -> NameWatch? { nil }
}

/// Somebody listens to a resolver, until it ends the watch.
package final class NameWatch: Sendable {
  private let stop: @Sendable () -> Void

  package init(_ stop: @escaping @Sendable () -> Void) { self.stop = stop }

  package func end() { stop() }
}

/// Addresses that do not change.
package struct FixedResolver: NameResolver {
  private let addresses: [Address]

  package init(_ addresses: [Address]) { self.addresses = addresses }

  package var refreshInterval: Duration? { nil }
  package func addresses(of service: String) async throws(RPCError) -> [Address] { addresses }
}
