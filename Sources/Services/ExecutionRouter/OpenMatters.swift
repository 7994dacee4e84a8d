internal import Chrono
private import Synchronization

/// What has to be brought to an end at the venues, and who is at it: each matter has one owner, who asks
/// again until the world has answered.
final class OpenMatters: Sendable {
  enum Kind: Sendable, Hashable, CaseIterable {
    /// A child is to be gone from the venue.
    case cancel
    /// What the venue knows of a child is to be proven.
    case proof
    /// An order under an id of ours that no journal knows is to be gone.
    case orphan
    /// The venue's open orders are to be compared with ours.
    case sweep

    /// In metrics.
    var name: String {
      switch self {
      case .cancel: "cancel"
      case .proof: "proof"
      case .orphan: "orphan"
      case .sweep: "sweep"
      }
    }
  }

  struct Key: Sendable, Hashable {
    let kind: Kind
    /// A child's id, or a venue.
    let subject: String
  }

  /// What is open at one venue.
  struct Summary: Sendable, Hashable {
    var counts: [Kind: Int] = [:]
    var since: Instant?
    /// Why one of them is open still, of the oldest where that is known.
    var reason = ""
  }

  /// By the clock that people read, and by the one that only grows.
  struct Moment: Sendable {
    let time: Instant
    let uptime: Uptime
  }

  private struct Matter {
    let venue: String
    let since: Moment
    var isAskedAnew = false
    var failures = 0
    var reason = ""
  }

  private let matters = Mutex<[Key: Matter]>([:])

  /// True when nobody is at it: the caller now is. Else its owner goes over it once more.
  func open(_ key: Key, at venue: String, now: Moment) -> Bool {
    matters.withLock { matters in
      guard matters[key] == nil else {
        matters[key]?.isAskedAnew = true
        return false
      }
      matters[key] = Matter(venue: venue, since: now)
      return true
    }
  }

  /// Its owner begins, perhaps once more.
  func begin(_ key: Key) { matters.withLock { $0[key]?.isAskedAnew = false } }

  /// A try has led to nothing.
  func note(_ key: Key, _ reason: String) {
    matters.withLock { matters in
      matters[key]?.failures += 1
      matters[key]?.reason = reason
    }
  }

  /// False when it was asked for anew meanwhile.
  func close(_ key: Key) -> Bool {
    matters.withLock { matters in
      guard matters[key]?.isAskedAnew == false else { return matters[key] == nil }
      matters[key] = nil
      return true
    }
  }

  func isOpen(_ key: Key) -> Bool { matters.withLock { $0[key] != nil } }

  /// By venue: what has failed once, or is older than `age`.
  func summaries(now: Uptime, olderThan age: Duration) -> [String: Summary] {
    matters.withLock { matters in
      var found: [String: Summary] = [:]
      for (key, matter) in matters where matter.failures > 0 || now - matter.since.uptime > age {
        var summary = found[matter.venue] ?? Summary()
        summary.counts[key.kind, default: 0] += 1
        let isOldest = summary.since.map { matter.since.time < $0 } ?? true
        if isOldest { summary.since = matter.since.time }
        if !matter.reason.isEmpty, isOldest || summary.reason.isEmpty {
          summary.reason = matter.reason
        }
        found[matter.venue] = summary
      }
      return found
    }
  }
}

extension OpenMatters.Summary {
  /// For a person: how many of what, since when, and why.
  var text: String {
    let words: [OpenMatters.Kind: String] = [
      .cancel: "cancels unanswered", .proof: "orders unproven", .orphan: "orphans open",
      .sweep: "lists of open orders unanswered",
    ]
    let parts = OpenMatters.Kind.allCases.compactMap { kind in
      counts[kind].map { "\($0) \(words[kind] ?? "")" }
    }
    let moment = since.map { " since \($0.rfc3339)" } ?? ""
    return parts.joined(separator: ", ") + moment + (reason.isEmpty ? "" : ": \(reason)")
  }
}
