internal import Calls
internal import Chrono
package import Journal
internal import Loop
internal import Telemetry

extension ServiceContext {
  /// The state that this service's journal proves; blocks on the disk. A record that cannot be applied
  /// refuses to start: the journal is the authority, and nobody may go on with half of it.
  ///
  /// `snapshotRecords`: after so many records the state is written down beside the journal.
  package func openJournaled<State: JournaledState>(
    _ journaling: JournalSettings, snapshotRecords: UInt64, empty: State
  ) throws -> Journaled<State> {
    var snapshotting = SnapshotSettings()
    snapshotting.every = snapshotRecords
    let written = metrics.counter(
      "journal_snapshots_total", help: "Snapshots of the state written beside the journal.")
    let failed = metrics.counter(
      "journal_snapshots_failed_total", help: "Snapshots that could not be written or read.")
    snapshotting.report = { [log] outcome in
      switch outcome {
      case .written(let sequence, let bytes, let took):
        written.increment()
        log.debug(
          "snapshot written",
          [
            "sequence": "\(sequence)", "bytes": "\(bytes)",
            "took_ms": "\(took.wholeNanoseconds / 1_000_000)",
          ])
      case .failed(let sequence, let error):
        failed.increment()
        log.warning(
          "snapshot not written",
          ["sequence": "\(sequence)", "reason": .text(error.problem)])
      case .refused(let sequence, let reason):
        failed.increment()
        log.error(
          "snapshot not used: an older one is, or the whole journal",
          ["sequence": "\(sequence)", "reason": .text(reason)])
      }
    }
    do {
      let journaled = try Journaled(
        try journalDirectory(), journaling, snapshotting, empty: empty)
      metrics.gauge(
        "journal_records_behind_snapshot", help: "Records that a start would have to read."
      ) { [journal = journaled.journal, snapshots = journaled.snapshots] in
        let durable = journal.durable
        return Double(durable - min(durable, snapshots.newest))
      }
      return journaled
    } catch let unreadable as UnreadableJournal {
      throw RPCError(.dataLoss, unreadable.description)
    }
  }
}
