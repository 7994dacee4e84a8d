package import Calls
internal import Contracts
package import ServiceKit

/// Who runs where, and how well: leases, lookups and a watch of every change.
package struct Discovery: ServiceDefinition {
  package static let name: ServiceName = "discovery"
  package static let summary = "who runs where and how well: leases, lookups, watches"

  private let context: ServiceContext
  private let registry: Registry
  package let methods: [ServerMethod]

  package init(_ context: ServiceContext, _ config: Config) throws {
    self.context = context
    self.registry = Registry(config, time: context.time, metrics: context.metrics)
    self.methods = Handlers(registry: registry, config: config).methods
  }

  package func start() async throws {
    context.spawn("expire leases", every: .milliseconds(100)) { [registry] in
      await registry.expire()
    }
  }

  package func drain() async { await registry.close() }
}
