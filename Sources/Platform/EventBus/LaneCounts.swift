/// What a lane of a bus has counted.
package struct LaneCounts: Sendable, Hashable {
  package var published: UInt64 = 0
  /// Events that nobody got because their publisher was refused.
  package var refused: UInt64 = 0
  /// Events that nobody got because the newest gives way.
  package var dropped: UInt64 = 0
  /// Events that single subscribers lost: their oldest, or all when they were slow.
  package var overrun: UInt64 = 0

  package init(
    published: UInt64 = 0, refused: UInt64 = 0, dropped: UInt64 = 0, overrun: UInt64 = 0
  ) {
    self.published = published
    self.refused = refused
    self.dropped = dropped
    self.overrun = overrun
  }
}
