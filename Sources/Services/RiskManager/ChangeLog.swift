internal import Calls
internal import Contracts
internal import Journal
internal import Mutants
internal import Risk
private import Synchronization
internal import Wire

/// Where changes become durable.
protocol ChangeLog: Sendable {
  /// Returns when the event is on disk; throws UNAVAILABLE with the reason.
  func append(_ record: RiskV1.JournalRecord) async throws(RPCError)
  /// After a failure: everything that is on disk, once it can be written to again. Nil when nothing had
  /// failed.
  func reopened() throws(RPCError) -> RiskRegister?
}

/// The risk-manager's own journal: no database, no neighbour and no network.
final class JournalLog: ChangeLog {
  private let path: String
  private let journal: Mutex<Journal>

  private let settings: JournalSettings

  /// Reads the whole journal; blocks on the disk. A record that does not decode refuses to start: nobody
  /// may trade on defaults in place of limits that were set.
  static func open(
    _ path: String, _ journaling: JournalSettings = JournalSettings()
  ) throws -> (log: JournalLog, register: RiskRegister) {
    var settings = journaling
    // Changes are rare and small.
    settings.segmentBytes = 4 << 20
    let (journal, register) = try recover(path, settings)
    return (JournalLog(path, journal, settings), register)
  }

  private init(_ path: String, _ journal: Journal, _ settings: JournalSettings) {
    self.path = path
    self.journal = Mutex(journal)
    self.settings = settings
  }

  private static func recover(
    _ path: String, _ settings: JournalSettings
  ) throws -> (Journal, RiskRegister) {
    do { return try read(path, settings) } catch {
      guard Mutant.isOn(.damageIsForgotten) else { throw error }
      let disk = settings.disk.attached()
      for file in try disk.names(in: path) { try disk.remove("\(path)/\(file)") }
      return try read(path, settings)
    }
  }

  private static func read(
    _ path: String, _ settings: JournalSettings
  ) throws -> (Journal, RiskRegister) {
    var register = RiskRegister()
    var fault: RPCError?
    let journal = try Journal.open(path, settings) { record in
      guard fault == nil else { return }
      do {
        register.apply(try RiskEvent(RiskV1.JournalRecord(decoding: record.payload)))
      } catch {
        fault = RPCError(.dataLoss, "record \(record.sequence) of the risk journal: \(error)")
      }
    }
    if let fault { throw fault }
    return (journal, register)
  }

  func append(_ record: RiskV1.JournalRecord) async throws(RPCError) {
    let bytes = record.encoded()
    let current = journal.withLock { $0 }
    do throws(JournalError) {
      _ = try await current.append(bytes)
    } catch {
      throw RPCError(.unavailable, "the journal refuses: \(error.problem)")
    }
  }

  func reopened() throws(RPCError) -> RiskRegister? {
    let broken = journal.withLock { $0 }
    guard broken.failure != nil else { return nil }
    broken.close()
    do {
      let (fresh, register) = try Self.recover(path, settings)
      journal.withLock { $0 = fresh }
      return register
    } catch let error as JournalError {
      throw RPCError(.unavailable, "the journal cannot be opened again: \(error.problem)")
    } catch let error as RPCError {
      throw error
    } catch {
      throw RPCError(.unavailable, "the journal cannot be opened again: \(error)")
    }
  }

  var problem: String? { journal.withLock { $0.failure?.problem } }

  func close() { journal.withLock { $0 }.close() }
}
