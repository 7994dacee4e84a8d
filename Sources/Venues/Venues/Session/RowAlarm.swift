internal import JSON
private import Synchronization
package import Telemetry
package import Venue

/// Counts and tells what is wrong with single rows of what a venue says of our account: each is counted,
/// and the first, second, fourth, eighth, ... of a kind is logged.
package final class RowAlarm: Sendable {
  private let venue: String
  private let log: Log
  private let unread: Counter?
  private let told = Mutex<[String: Int]>([:])

  package init(_ venue: VenueID, _ counters: VenueCounters, _ log: Log) {
    self.venue = venue.name
    self.log = log
    unread = counters.unreadRows
  }

  /// Counts nothing and tells nobody.
  package init() {
    venue = ""
    log = .silent
    unread = nil
  }

  /// A row that nothing can be made of.
  package func unread(_ kind: String, _ text: String) {
    unread?.increment()
    tell("a venue's row cannot be read, and is left out", "unread \(kind)", text)
  }

  private func tell(_ message: String, _ kind: String, _ text: String) {
    let times = told.withLock { told in
      let times = (told[kind] ?? 0) + 1
      // Kinds are few: instruments and the lists that there are.
      if told.count < Self.kindsMax || told[kind] != nil { told[kind] = times }
      return times
    }
    guard times & (times - 1) == 0 else { return }
    log.error(
      message,
      ["venue": .text(venue), "kind": .text(kind), "times": .text("\(times)"), "row": .text(text)])
  }

  private static let kindsMax = 4_096
}

extension VenueList {
  /// Reads one row of a list; nil is of somebody else. One that cannot be read is told, and missing.
  mutating func take(
    _ kind: String, _ alarm: RowAlarm, _ read: () throws(JSONError) -> Row?,
    unread gap: (_ problem: String) -> VenueListGap
  ) {
    do throws(JSONError) {
      if let row = try read() { rows.append(row) }
    } catch {
      let gap = gap(error.description)
      alarm.unread(kind, gap.text)
      missing.append(gap)
    }
  }
}
