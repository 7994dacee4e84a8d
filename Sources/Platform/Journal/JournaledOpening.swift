/// From a folder to a state: the newest snapshot that is whole and of this log, and the records behind
/// it; else the one before, else the whole journal.
struct JournaledOpening {
  let directory: JournalDirectory
  private let path: String
  private let settings: JournalSettings
  private let snapshotting: SnapshotSettings
  private let marks: SnapshotMarks

  init(
    _ path: String, _ settings: JournalSettings, _ snapshotting: SnapshotSettings,
    _ marks: SnapshotMarks
  ) {
    self.path = path
    self.settings = settings
    self.snapshotting = snapshotting
    self.marks = marks
    directory = JournalDirectory(path: path, disk: settings.disk.attached())
  }

  func run<State: JournaledState>(_ empty: State) throws -> (Journal, State) {
    try directory.create()
    marks.kept = try directory.snapshots()
    for sequence in marks.kept.reversed() {
      do {
        var state = empty
        let header = try directory.readSnapshot(sequence, form: State.snapshotForm) {
          try state.read($0)
        }
        if let journal = try open(&state, behind: header) { return (journal, state) }
        refuse(sequence, "it is of another journal, or of records that this one does not have")
      } catch let error as UnreadableJournal {
        throw error
      } catch JournalError.removed(let first) {
        refuse(sequence, "record \(first) behind it is no longer in the journal")
      } catch let error as JournalError {
        guard error.isAboutSnapshot(directory.snapshot(sequence)) else { throw error }
        refuse(sequence, error.problem)
      } catch {
        refuse(sequence, "\(error)")
      }
    }
    var state = empty
    guard let journal = try open(&state, behind: nil) else {
      throw UnreadableJournal(description: "\(path) cannot be read")
    }
    return (journal, state)
  }

  /// Nil when the journal does not have the snapshot's last record.
  private func open<State: JournaledState>(
    _ state: inout State, behind header: SnapshotHeader?
  ) throws -> Journal? {
    var fault: UnreadableJournal?
    var isProven = header == nil
    let journal = try Journal.open(path, settings, from: header?.sequence ?? 1) { record in
      guard fault == nil else { return }
      if record.sequence == header?.sequence {
        isProven = record.mark == header?.mark
        return
      }
      guard isProven else { return }
      do { try state.fold(record) } catch {
        fault = UnreadableJournal(
          description: "record \(record.sequence) of the journal \(path): \(error)")
      }
    }
    if let fault {
      journal.close()
      throw fault
    }
    guard isProven else {
      journal.close()
      return nil
    }
    return journal
  }

  /// What is kept stays until two newer ones have taken its place; it may be needed by nobody, and a
  /// person may want to see it.
  private func refuse(_ sequence: UInt64, _ why: String) {
    marks.kept.removeAll { $0 == sequence }
    snapshotting.report(.refused(sequence: sequence, why))
  }
}

extension JournalError {
  fileprivate func isAboutSnapshot(_ path: String) -> Bool {
    switch self {
    case .damaged(path, _, _), .notAJournal(path), .storage(_, path): true
    default: false
    }
  }
}
