/// A subscriber that has taken nothing for too long although events wait for it.
package struct SlowSubscriber: Sendable, Hashable {
  package let topic: String
  package let name: String
  /// Events that waited.
  package let behind: Int
  package let silentFor: Duration
  /// It lost them, because it is one that may lose events; others are only named.
  package let wasShed: Bool

  package init(
    topic: String, name: String, behind: Int, silentFor: Duration, wasShed: Bool
  ) {
    self.topic = topic
    self.name = name
    self.behind = behind
    self.silentFor = silentFor
    self.wasShed = wasShed
  }
}
