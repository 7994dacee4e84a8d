/// A log that another process streams, as a follower needs it.
package struct LogSource<Event: Sendable>: Sendable {
  /// Of the log, for conditions and metrics: `orders`.
  package let name: String
  /// Whose it is, for people: `the oms`.
  package let owner: String
  /// The newest sequence there is; nil when the owner does not say.
  package let target: @Sendable () async throws -> UInt64?
  /// Events behind a position; an error that is `LogReplaced` when they are not of the same log.
  package let open: @Sendable (LogPosition) async throws -> LogReading<Event>
  package let position: @Sendable (Event) -> LogPosition

  package init(
    _ name: String, of owner: String,
    target: @escaping @Sendable () async throws -> UInt64? = { nil },
    open: @escaping @Sendable (LogPosition) async throws -> LogReading<Event>,
    position: @escaping @Sendable (Event) -> LogPosition
  ) {
    self.name = name
    self.owner = owner
    self.target = target
    self.open = open
    self.position = position
  }
}

/// An open stream of a log's events.
package struct LogReading<Event: Sendable>: Sendable {
  package let next: @Sendable () async throws -> Event?
  package let cancel: @Sendable () -> Void

  package init(
    next: @escaping @Sendable () async throws -> Event?,
    cancel: @escaping @Sendable () -> Void
  ) {
    self.next = next
    self.cancel = cancel
  }
}
