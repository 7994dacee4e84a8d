internal import Chrono

/// When an instance that answers worse than the others is left alone for a while (gRFC A50, with
/// Envoy's failures in a row).
package struct OutlierSettings: Sendable, Hashable {
  /// Failures in a row that eject an instance at once; zero: they never do.
  package var failuresInRowMax = 5
  /// How often failure percentages are looked at, and those whose time is over come back.
  package var interval = Duration.seconds(10)
  /// Ejects an instance with at least `volumeMin` calls in an interval; over 100: never.
  package var failurePercentMax = 85
  package var volumeMin = 50
  /// Times the ejections in a row.
  package var ejection = Duration.seconds(30)
  package var ejectionMax = Duration.seconds(300)
  /// Of the instances; one may be ejected whatever this says, but never the last.
  package var ejectedPercentMax = 10

  package init() {}
}

/// Who is ejected, by the outcomes of calls. Pure: time is an argument.
struct OutlierDetector<Instance: Hashable> {
  private struct Record {
    var succeeded = 0
    var failed = 0
    var failedInRow = 0
    var ejections = 0
    var ejectedUntil: Uptime?
  }

  private let settings: OutlierSettings
  private var records: [Instance: Record] = [:]
  private(set) var ejectedCount = 0
  /// When `sweep` has something to do; nil while nobody fails.
  private(set) var nextSweep: Uptime?

  init(_ settings: OutlierSettings) { self.settings = settings }

  /// The instances that there are; others are forgotten.
  mutating func keep(_ instances: Set<Instance>) {
    records = records.filter { instances.contains($0.key) }
    for instance in instances where records[instance] == nil { records[instance] = Record() }
    ejectedCount = records.values.count { $0.ejectedUntil != nil }
    // The last one is never ejected, also when the others went away.
    guard ejectedCount > 0, ejectedCount == records.count,
      let least = records.min(by: { $0.value.ejectedUntil! < $1.value.ejectedUntil! })?.key
    else { return }
    restore(least)
  }

  func isEjected(_ instance: Instance) -> Bool {
    ejectedCount > 0 && records[instance]?.ejectedUntil != nil
  }

  mutating func succeeded(_ instance: Instance) {
    guard records.count > 1 else { return }
    records[instance]?.succeeded += 1
    records[instance]?.failedInRow = 0
  }

  /// True when this failure has ejected the instance.
  mutating func failed(_ instance: Instance, _ now: Uptime) -> Bool {
    guard records.count > 1, records[instance] != nil else { return false }
    records[instance]!.failed += 1
    records[instance]!.failedInRow += 1
    if nextSweep == nil { nextSweep = now + settings.interval }
    guard settings.failuresInRowMax > 0,
      records[instance]!.failedInRow >= settings.failuresInRowMax
    else { return false }
    return eject(instance, now)
  }

  private mutating func eject(_ instance: Instance, _ now: Uptime) -> Bool {
    guard let record = records[instance], record.ejectedUntil == nil else { return false }
    let after = ejectedCount + 1
    guard after < records.count,
      after == 1 || after * 100 <= settings.ejectedPercentMax * records.count
    else { return false }
    records[instance]!.ejections += 1
    let time = min(
      settings.ejection * records[instance]!.ejections,
      max(settings.ejection, settings.ejectionMax))
    records[instance]!.ejectedUntil = now + time
    ejectedCount = after
    return true
  }

  private mutating func restore(_ instance: Instance) {
    records[instance]!.ejectedUntil = nil
    records[instance]!.failedInRow = 0
    ejectedCount -= 1
  }

  /// At the end of an interval: who failed too often goes, whose time is over comes back.
  mutating func sweep(_ now: Uptime) -> (ejected: [Instance], restored: [Instance]) {
    guard let due = nextSweep, now >= due else { return ([], []) }
    var (ejected, restored): ([Instance], [Instance]) = ([], [])
    for (instance, record) in records {
      let calls = record.succeeded + record.failed
      if calls >= settings.volumeMin, record.failed * 100 >= settings.failurePercentMax * calls,
        eject(instance, now)
      {
        ejected.append(instance)
      } else if let until = record.ejectedUntil {
        guard now >= until else { continue }
        restore(instance)
        restored.append(instance)
      } else if record.ejections > 0 {
        records[instance]!.ejections -= 1
      }
    }
    for instance in records.keys {
      records[instance]!.succeeded = 0
      records[instance]!.failed = 0
    }
    nextSweep = records.values.contains { $0.ejections > 0 } ? now + settings.interval : nil
    return (ejected, restored)
  }
}
