internal import Calls
internal import Chrono
internal import Contracts
internal import Wire

struct Handlers: DiscoveryV1.DiscoveryServiceHandler {
  let registry: Registry
  let config: Config

  func registerInstance(
    _ request: DiscoveryV1.RegisterRequest, _ context: ServerContext
  ) async throws -> DiscoveryV1.RegisterResponse {
    guard let instance = request.instance else { throw RPCError.invalid("instance", "is missing") }
    guard !instance.service.isEmpty else { throw RPCError.invalid("instance.service", "is empty") }
    guard !instance.instanceId.isEmpty else {
      throw RPCError.invalid("instance.instanceId", "is empty")
    }
    guard !instance.host.isEmpty else { throw RPCError.invalid("instance.host", "is empty") }
    guard (1...65_535).contains(instance.port) else {
      throw RPCError.invalid("instance.port", "must be from 1 to 65535, not \(instance.port)")
    }
    let asked = try request.lease.map { try Duration($0, field: "lease") }
    let wish = asked ?? config.leaseDefault
    guard wish > .zero else { throw RPCError.invalid("lease", "must be positive") }
    let lease = min(wish, config.leaseMax)
    let granted = try await registry.register(
      LeaseTable.Key(service: instance.service, instance: instance.instanceId)
    ) { now in
      LeaseTable.Entry(
        host: instance.host, port: instance.port, version: instance.version,
        processID: instance.processId, isServing: instance.health == .serving, registered: now,
        expires: now + lease, lease: lease)
    }
    var response = DiscoveryV1.RegisterResponse()
    response.lease = .init(granted)
    return response
  }

  func renew(
    _ request: DiscoveryV1.RenewRequest, _ context: ServerContext
  ) async throws -> DiscoveryV1.RenewResponse {
    let key = LeaseTable.Key(service: request.service, instance: request.instanceId)
    var response = DiscoveryV1.RenewResponse()
    response.lease = .init(
      try await registry.renew(key, isServing: request.health == .serving))
    return response
  }

  func deregister(
    _ request: DiscoveryV1.DeregisterRequest, _ context: ServerContext
  ) async throws -> DiscoveryV1.DeregisterResponse {
    await registry.deregister(
      LeaseTable.Key(service: request.service, instance: request.instanceId))
    return DiscoveryV1.DeregisterResponse()
  }

  func lookup(
    _ request: DiscoveryV1.LookupRequest, _ context: ServerContext
  ) async throws -> DiscoveryV1.LookupResponse {
    guard !request.service.isEmpty else { throw RPCError.invalid("service", "is empty") }
    var response = DiscoveryV1.LookupResponse()
    (response.instances, response.index) = await registry.lookup(
      request.service, includingUnhealthy: request.includeUnhealthy)
    return response
  }

  func watch(
    _ request: DiscoveryV1.WatchRequest, _ responses: Outgoing<DiscoveryV1.WatchResponse>,
    _ context: ServerContext
  ) async throws {
    let (id, events) = try await registry.watch(request.service.isEmpty ? nil : request.service)
    do {
      for try await event in events { try await responses.send(event) }
    } catch {
      await registry.unwatch(id)
      throw error
    }
    await registry.unwatch(id)
    try Task.checkCancellation()
    throw RPCError(.unavailable, "discovery is draining; watch again")
  }

  func listServices(
    _ request: DiscoveryV1.ListServicesRequest, _ context: ServerContext
  ) async throws -> DiscoveryV1.ListServicesResponse {
    var response = DiscoveryV1.ListServicesResponse()
    response.instances = await registry.lookup(nil, includingUnhealthy: true).instances
    return response
  }
}
