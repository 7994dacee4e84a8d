package import Calls

/// Where the instances of a service are: discovery, ports.toml, or a fixed list.
package protocol NameResolver: Sendable {
  /// Asked again when a connection is lost and, if set, this often.
  var refreshInterval: Duration? { get }
  /// Empty while no instance is known.
  func addresses(of service: String) async throws(RPCError) -> [Address]
}

/// Addresses that do not change.
package struct FixedResolver: NameResolver {
  private let addresses: [Address]

  package init(_ addresses: [Address]) { self.addresses = addresses }

  package var refreshInterval: Duration? { nil }
  package func addresses(of service: String) async throws(RPCError) -> [Address] { addresses }
}
