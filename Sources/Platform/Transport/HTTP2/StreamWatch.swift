internal import Chrono

/// Judges from time to time whether the peer of a stream does its part.
struct StreamWatch: Sendable {
  /// Since when the message of this number is incomplete.
  private var owed: (number: Int, since: Uptime)?
  private var blockedSince: Uptime?

  /// `owed`: the number of the message that the peer has begun and not ended.
  mutating func look(
    owed number: Int?, isBlocked: Bool, messageTimeMax: Duration, stallMax: Duration?,
    _ now: Uptime
  ) -> TransportLimit? {
    if let number {
      if let owed, owed.number == number {
        if now - owed.since >= messageTimeMax { return .messageTime }
      } else {
        owed = (number, now)
      }
    } else {
      owed = nil
    }
    guard isBlocked, let stallMax else {
      blockedSince = nil
      return nil
    }
    let since = blockedSince ?? now
    blockedSince = since
    return now - since >= stallMax ? .streamStall : nil
  }
}
