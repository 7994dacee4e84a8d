internal import Calls
internal import Chrono
internal import Contracts
internal import ServiceKit
internal import Telemetry

/// The lease table and its watchers.
actor Registry {
  private let config: Config
  private let time: any TimeSource
  private var table = LeaseTable()
  private var watchers: [Int: Watcher] = [:]
  private var lastWatcher = 0
  private var isClosed = false
  private let instances: Gauge
  private let expired: Counter

  private struct Watcher {
    let service: String?
    let events: AsyncThrowingStream<DiscoveryV1.WatchResponse, any Error>.Continuation
  }

  init(_ config: Config, time: any TimeSource, metrics: MetricsRegistry) {
    self.config = config
    self.time = time
    self.instances = metrics.gauge("discovery_instances", help: "Instances with a lease.")
    self.expired = metrics.counter(
      "discovery_leases_expired_total", help: "Leases that ran out without a renewal.")
  }

  /// The lease that was granted.
  func register(
    _ key: LeaseTable.Key, _ make: (Instant) -> LeaseTable.Entry
  ) throws(RPCError) -> Duration {
    guard table.entries[key] != nil || table.entries.count < config.instancesMax else {
      throw RPCError(
        .resourceExhausted, "\(config.instancesMax) instances are registered (instances_max)")
    }
    let entry = make(time.now)
    publish(table.put(key, entry))
    return entry.lease
  }

  func renew(_ key: LeaseTable.Key, isServing: Bool) throws(RPCError) -> Duration {
    let (found, change) = table.renew(key, isServing: isServing, now: time.now)
    guard found, let entry = table.entries[key] else {
      throw RPCError(.notFound, "\(key.service) has no lease named \(key.instance); register again")
    }
    publish(change)
    return entry.lease
  }

  func deregister(_ key: LeaseTable.Key) { publish(table.remove(key)) }

  func expire() {
    for change in table.expire(now: time.now) {
      expired.increment()
      publish(change)
    }
  }

  func lookup(
    _ service: String?, includingUnhealthy: Bool
  ) -> (instances: [DiscoveryV1.Instance], index: UInt64) {
    let found = table.instances(of: service, includingUnhealthy: includingUnhealthy)
    return (found.map { DiscoveryV1.Instance($0.key, $0.entry) }, table.index)
  }

  /// What is there now as ADDED, then SYNCED, then changes in order.
  func watch(
    _ service: String?
  ) throws(RPCError) -> (id: Int, events: AsyncThrowingStream<DiscoveryV1.WatchResponse, any Error>)
  {
    guard !isClosed else { throw RPCError(.unavailable, "discovery is draining") }
    guard watchers.count < config.watchersMax else {
      throw RPCError(.resourceExhausted, "\(config.watchersMax) watchers are open (watchers_max)")
    }
    let (events, continuation) = AsyncThrowingStream.makeStream(
      of: DiscoveryV1.WatchResponse.self, throwing: (any Error).self,
      bufferingPolicy: .bufferingOldest(config.watchBacklogMax))
    lastWatcher += 1
    watchers[lastWatcher] = Watcher(service: service, events: continuation)
    for (key, entry) in table.instances(of: service, includingUnhealthy: true) {
      send(lastWatcher, .init(.added, DiscoveryV1.Instance(key, entry), index: table.index))
    }
    send(lastWatcher, .init(.synced, nil, index: table.index))
    return (lastWatcher, events)
  }

  func unwatch(_ id: Int) { watchers.removeValue(forKey: id)?.events.finish() }

  func close() {
    isClosed = true
    for watcher in watchers.values { watcher.events.finish() }
    watchers.removeAll()
  }

  private func publish(_ change: LeaseTable.Change?) {
    guard let change else { return }
    instances.set(Double(table.entries.count))
    let kind: DiscoveryV1.WatchResponse.Kind =
      switch change.kind {
      case .added: .added
      case .changed: .changed
      case .removed: .removed
      }
    let event = DiscoveryV1.WatchResponse(
      kind, DiscoveryV1.Instance(change.key, change.entry), index: change.index)
    for (id, watcher) in watchers
    where watcher.service == nil || watcher.service == change.key.service {
      send(id, event)
    }
  }

  private func send(_ id: Int, _ event: DiscoveryV1.WatchResponse) {
    guard let watcher = watchers[id] else { return }
    if case .dropped = watcher.events.yield(event) {
      watchers.removeValue(forKey: id)
      watcher.events.finish(
        throwing: RPCError(
          .resourceExhausted,
          "the watcher fell \(config.watchBacklogMax) events behind; watch again"))
    }
  }
}

extension DiscoveryV1.Instance {
  init(_ key: LeaseTable.Key, _ entry: LeaseTable.Entry) {
    self.init()
    service = key.service
    instanceId = key.instance
    host = entry.host
    port = entry.port
    health = entry.isServing ? .serving : .notServing
    registeredAt = .init(entry.registered)
    expiresAt = .init(entry.expires)
    version = entry.version
    processId = entry.processID
  }
}

extension DiscoveryV1.WatchResponse {
  fileprivate init(_ kind: Kind, _ instance: DiscoveryV1.Instance?, index: UInt64) {
    self.init()
    self.kind = kind
    self.instance = instance
    self.index = index
  }
}
