internal import Mutants

/// A state that a journal proves: the same shape for whoever keeps promises.
///
/// A value, so that a snapshot is a copy that shares its memory; whoever holds large collections keeps
/// them in pieces, of which a change copies one.
package protocol JournaledState: Sendable {
  /// What was decided and is to be kept.
  associatedtype Change
  /// What may leave when the change is on disk, and not before.
  associatedtype Effect

  /// The most that the records of a change may take.
  func room(for change: Change) -> JournalRoom.Size
  /// Applies a change. No records: it changed nothing. What does not apply throws, and changes nothing.
  /// `sequence` is the first record's.
  mutating func apply(_ change: Change, at sequence: UInt64) throws -> Applied<Effect>
  /// Applies a record that `apply` has made, in this or in an earlier version.
  mutating func fold(_ record: JournalRecord) throws

  /// Raised when pieces of before can no longer be read: then the journal is read instead.
  static var snapshotForm: UInt32 { get }
  func write(to snapshot: some SnapshotSink) throws(JournalError)
  /// Takes a piece that `write` has made, on an empty state.
  mutating func read(_ piece: [UInt8]) throws
}

/// What a change has come to.
package struct Applied<Effect> {
  package var records: [[UInt8]]
  package var effects: [Effect]

  package init(records: [[UInt8]], effects: [Effect] = []) {
    self.records = records
    self.effects = effects
  }
}

/// The journal takes no record of it: nothing has changed.
package struct JournalRefusal: Error {
  package let error: JournalError

  package init(_ error: JournalError) { self.error = error }
}

/// A record that cannot be applied, or a journal whose beginning is gone: nobody may go on with half of
/// what was promised.
package struct UnreadableJournal: Error, CustomStringConvertible {
  package let description: String
}

/// A state and its journal: room is reserved before anything changes, then changes are applied and
/// appended, and what follows from them may leave when they are on disk.
///
/// Belongs to one actor: what is applied is seen by its next step at once, and by all others through
/// the journal, when it is durable.
package struct Journaled<State: JournaledState> {
  package private(set) var state: State
  package let journal: Journal
  package let snapshots: SnapshotKeeper
  /// Of the newest records appended.
  package private(set) var lastTicket: JournalTicket?
  /// So many times the bytes of records may go into snapshots: a start reads the newest and what is behind
  /// it, and a snapshot is written beside the work.
  private static var snapshotShareMax: Int { 4 }
  private let snapshotEvery: UInt64
  private var snapshotDue: UInt64
  /// Of records since the newest snapshot was asked for.
  private var bytesSince = 0
  /// The sequence that the next record will have.
  private var next: UInt64
  /// Of the newest record, where a snapshot may be due.
  private var lastRecord: [UInt8] = []

  /// Reads the newest snapshot and the records behind it. Blocks on the disk.
  package init(
    _ path: String, _ journaling: JournalSettings, _ snapshotting: SnapshotSettings, empty: State
  ) throws {
    let marks = SnapshotMarks()
    var settings = journaling
    let mayRemove = journaling.retention.mayRemove
    settings.retention.mayRemove = { marks.allowRemoval(through: $0) && mayRemove($0) }
    let opening = JournaledOpening(path, settings, snapshotting, marks)
    (journal, state) = try opening.run(empty)
    next = journal.recovery.last + 1
    snapshotEvery = snapshotting.every
    snapshotDue = marks.newest + snapshotting.every
    snapshots = SnapshotKeeper(journal, opening.directory, snapshotting, settings, marks)
  }

  /// Applies changes and appends their records next to each other: a crash keeps all of them or none.
  /// Throws `JournalRefusal` when there is no room, and whatever a change that does not apply throws;
  /// then those before it stand.
  package mutating func commit(
    _ changes: [State.Change], for use: JournalUse
  ) throws -> (ticket: JournalTicket?, effects: [State.Effect]) {
    // A mutant asks for room when it is too late.
    let asksLate = Mutant.isOn(.changeBeforeRoom)
    let room = asksLate ? nil : try reserve(changes, for: use)
    var records: [[UInt8]] = []
    var effects: [State.Effect] = []
    var fault: (any Error)?
    for change in changes {
      do {
        let applied = try state.apply(change, at: next + UInt64(records.count))
        records += applied.records
        effects += applied.effects
      } catch {
        fault = error
        break
      }
    }
    var ticket: JournalTicket?
    if !records.isEmpty {
      let room = if let room { room } else { try reserve(changes, for: use) }
      ticket = append(records, in: room)
    }
    if let fault { throw fault }
    return (ticket, effects)
  }

  package mutating func commit(
    _ change: State.Change, for use: JournalUse
  ) throws -> (ticket: JournalTicket?, effects: [State.Effect]) {
    try commit([change], for: use)
  }

  private func reserve(
    _ changes: [State.Change], for use: JournalUse
  ) throws(JournalRefusal) -> JournalRoom {
    var size = JournalRoom.Size(records: 0, bytes: 0, largest: 0)
    for change in changes { size += state.room(for: change) }
    do throws(JournalError) { return try journal.reserve(size, for: use) } catch {
      throw JournalRefusal(error)
    }
  }

  private mutating func append(
    _ records: [[UInt8]], in room: consuming JournalRoom
  ) -> JournalTicket {
    next += UInt64(records.count)
    let ticket = journal.append(records, in: room)
    lastTicket = ticket
    lastRecord = records[records.count - 1]
    for record in records { bytesSince += record.count }
    if snapshotEvery > 0, ticket.last >= snapshotDue,
      bytesSince >= snapshots.newestBytes / Self.snapshotShareMax
    {
      takeSnapshot(ticket.last)
    }
    return ticket
  }

  private mutating func takeSnapshot(_ last: UInt64) {
    let copy = state
    let isTaken = snapshots.take(header(last)) { writer throws(JournalError) in
      try copy.write(to: writer)
    }
    snapshotDue = last + (isTaken ? snapshotEvery : max(1, snapshotEvery / 10))
    if isTaken { bytesSince = 0 }
  }

  private func header(_ last: UInt64) -> SnapshotHeader {
    SnapshotHeader(
      sequence: last, mark: JournalRecord.mark(of: lastRecord), form: State.snapshotForm)
  }

  /// Changes what no record tells of, and what follows from records all the same.
  package mutating func withState<Result>(
    _ body: (inout State) throws -> Result
  ) rethrows -> Result {
    try body(&state)
  }

  /// Everything is on the disk when this returns, as a rule with a snapshot of it, so that the next
  /// start reads little. Blocks.
  package func close() {
    snapshots.stop()
    journal.close()
    let last = next - 1
    guard snapshotEvery > 0, !lastRecord.isEmpty, journal.durable == last else { return }
    snapshots.writeLast(header(last)) { writer throws(JournalError) in
      try state.write(to: writer)
    }
  }
}

extension JournalRoom.Size {
  static func += (left: inout JournalRoom.Size, right: JournalRoom.Size) {
    left = JournalRoom.Size(
      records: left.records + right.records, bytes: left.bytes + right.bytes,
      largest: max(left.largest, right.largest))
  }
}
