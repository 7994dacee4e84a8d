package import Calls
package import Journal
internal import Mutants

/// Where a reader stands in a log: the record it has read last, and how to tell that record from the
/// one that another log has at the same place. A log that is restored from an older copy counts on from
/// the copy's end, so that a sequence alone says nothing.
package struct LogPosition: Sendable, Hashable {
  package static let start = LogPosition(sequence: 0, mark: 0)

  /// 0 before the first record.
  package var sequence: UInt64
  /// 0 when the log's owner does not tell.
  package var mark: UInt64

  package init(sequence: UInt64, mark: UInt64) {
    self.sequence = sequence
    self.mark = mark
  }

  package init(_ record: JournalRecord) {
    self.init(sequence: record.sequence, mark: record.mark)
  }
}

/// The log is not the one that a reader has read: it was replaced, or restored from a copy.
package struct LogReplaced: Error, Sendable, Hashable, CustomStringConvertible {
  package static let reason = "LOG_REPLACED"
  package let description: String

  package init(_ description: String) { self.description = description }

  /// Nil when the error says something else.
  package init?(_ error: RPCError) {
    guard error.code == .failedPrecondition, error.details.contains(where: \.saysLogReplaced)
    else { return nil }
    self.init(error.message)
  }

  package func error(of service: ServiceName) -> RPCError {
    RPCError(
      .failedPrecondition, description,
      details: [
        .errorInfo(reason: Self.reason, domain: "\(service).shrivenquant", metadata: [:])
      ])
  }
}

extension ErrorDetail {
  fileprivate var saysLogReplaced: Bool {
    guard case .errorInfo(LogReplaced.reason, _, _) = self else { return false }
    return true
  }
}

extension Journal {
  /// Why a reader that stands at `position` has not read this journal; nil when it has, as far as can
  /// be told.
  package func replacement(of position: LogPosition) throws(JournalError) -> LogReplaced? {
    if Mutant.isOn(.logUncompared) { return nil }
    guard position.sequence > 0 else { return nil }
    guard position.sequence <= durable else {
      return LogReplaced(
        "record \(position.sequence) was read before, and the journal ends at \(durable)")
    }
    guard position.mark != 0, position.sequence >= oldest else { return nil }
    var cursor = records(from: position.sequence)
    guard let record = try cursor.nextRecord(), LogPosition(record) != position else { return nil }
    return LogReplaced(
      "record \(position.sequence) of the journal is not the one that was read before")
  }

  /// Records behind `position`, for a reader that has read this journal that far.
  package func records(
    behind position: LogPosition, of service: ServiceName
  ) throws -> JournalCursor {
    if let replaced = try replacement(of: position) { throw replaced.error(of: service) }
    let first = oldest
    guard position.sequence + 1 >= first else {
      throw RPCError(
        .outOfRange,
        "records before \(first) have left the journal (journal_keep_bytes): \(position.sequence + 1) "
          + "was asked for",
        details: [
          .errorInfo(
            reason: "LOG_TRIMMED", domain: "\(service).shrivenquant",
            metadata: ["oldest": "\(first)"])
        ])
    }
    return records(from: position.sequence + 1)
  }
}
