/// What happens to an event that finds a subscriber's queue full.
public enum Overflow: Sendable, Hashable {
  /// The subscriber loses its oldest event, and the loss is counted.
  case dropOldest
  /// Nobody gets the event, which is counted, and the publisher goes on.
  case dropNewest
  /// The publisher is refused, and nobody gets the event.
  case refuse
  /// `publish` waits for room; `publishNow` is refused.
  case wait
}

public enum TopicError: Error, Hashable {
  /// The named subscriber has no room.
  case full(subscriber: String)
  case finished
  /// The publishing task was cancelled while it waited; nobody got the event.
  case cancelled
}
