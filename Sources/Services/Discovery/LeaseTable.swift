package import Chrono

/// Instances and their leases; every change has the next index. Pure: time is an argument.
package struct LeaseTable {
  package struct Key: Hashable, Sendable {
    package let service: String
    package let instance: String

    package init(service: String, instance: String) {
      self.service = service
      self.instance = instance
    }
  }

  package struct Entry: Equatable, Sendable {
    package var host: String
    package var port: UInt32
    package var version: String
    package var processID: UInt32
    package var isServing: Bool
    package var registered: Instant
    package var expires: Instant
    package var lease: Duration

    package init(
      host: String, port: UInt32, version: String, processID: UInt32, isServing: Bool,
      registered: Instant, expires: Instant, lease: Duration
    ) {
      self.host = host
      self.port = port
      self.version = version
      self.processID = processID
      self.isServing = isServing
      self.registered = registered
      self.expires = expires
      self.lease = lease
    }
  }

  package enum Kind: Sendable { case added, changed, removed }

  package struct Change: Sendable {
    package let kind: Kind
    package let key: Key
    package let entry: Entry
    package let index: UInt64
  }

  package private(set) var entries: [Key: Entry] = [:]
  package private(set) var index: UInt64 = 0

  package init() {}

  /// Adds or replaces an instance. Nil when nothing that a watcher can see has changed.
  package mutating func put(_ key: Key, _ entry: Entry) -> Change? {
    guard var known = entries[key] else {
      entries[key] = entry
      return change(.added, key, entry)
    }
    var entry = entry
    entry.registered = known.registered
    known.expires = entry.expires
    known.lease = entry.lease
    entries[key] = entry
    return known == entry ? nil : change(.changed, key, entry)
  }

  /// Extends a lease; `found` is false when there is none.
  package mutating func renew(
    _ key: Key, isServing: Bool, now: Instant
  ) -> (found: Bool, change: Change?) {
    guard var entry = entries[key] else { return (false, nil) }
    entry.expires = now + entry.lease
    let differs = entry.isServing != isServing
    entry.isServing = isServing
    entries[key] = entry
    return (true, differs ? change(.changed, key, entry) : nil)
  }

  package mutating func remove(_ key: Key) -> Change? {
    guard let entry = entries.removeValue(forKey: key) else { return nil }
    return change(.removed, key, entry)
  }

  /// Removes what has run out, oldest first.
  package mutating func expire(now: Instant) -> [Change] {
    let due = entries.filter { $0.value.expires <= now }
      .sorted { ($0.value.expires, $0.key.instance) < ($1.value.expires, $1.key.instance) }
    return due.compactMap { remove($0.key) }
  }

  /// The instances of one service (or of all), by service and age.
  package func instances(
    of service: String?, includingUnhealthy: Bool
  ) -> [(key: Key, entry: Entry)] {
    entries
      .filter { service == nil || $0.key.service == service }
      .filter { includingUnhealthy || $0.value.isServing }
      .map { (key: $0.key, entry: $0.value) }
      .sorted {
        ($0.key.service, $0.entry.registered, $0.key.instance)
          < ($1.key.service, $1.entry.registered, $1.key.instance)
      }
  }

  private mutating func change(_ kind: Kind, _ key: Key, _ entry: Entry) -> Change {
    index += 1
    return Change(kind: kind, key: key, entry: entry, index: index)
  }
}
