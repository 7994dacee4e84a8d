internal import CPostgres

/// Why a statement, a transaction or a connection failed.
package struct SQLError: Error, Hashable, CustomStringConvertible {
  package enum Kind: Sendable, Hashable {
    /// The server refused the statement; nothing of its transaction remains.
    case refused
    /// The connection broke after the statement was sent: whether it took effect is unknown.
    case connectionLost
    /// No connection became free or could be made in time; nothing was sent.
    case unavailable
    /// As many requests as allowed wait for a connection; nothing was sent.
    case tooManyWaiting
    /// A value that is not what the reader asked for, or cannot be sent.
    case mismatch
    /// The schema is not what the migrations of this program say.
    case migration
    case closed
  }

  package let kind: Kind
  /// The server's five-character code (`23505` is a unique violation), or empty.
  package let sqlstate: String
  package let message: String
  /// The constraint that was violated, or empty.
  package let constraint: String

  init(_ kind: Kind, _ message: String, sqlstate: String = "", constraint: String = "") {
    self.kind = kind
    self.message = message
    self.sqlstate = sqlstate
    self.constraint = constraint
  }

  /// From a failed result.
  init(_ result: OpaquePointer) {
    func field(_ code: Int32) -> String {
      PQresultErrorField(result, code).map { String(cString: $0) } ?? ""
    }
    // PG_DIAG_* are character constants, which Swift does not import as Int32.
    let detail = field(Int32(UInt8(ascii: "D")))
    let primary = field(Int32(UInt8(ascii: "M")))
    self.init(
      .refused, detail.isEmpty ? primary : "\(primary) (\(detail))",
      sqlstate: field(Int32(UInt8(ascii: "C"))), constraint: field(Int32(UInt8(ascii: "n"))))
  }

  package var isConnectionLost: Bool { kind == .connectionLost }
  package var isUniqueViolation: Bool { sqlstate == "23505" }

  /// Nothing was done, and the same again may succeed. A lost connection is not among these: the
  /// caller must first find out what happened, or know that a repetition is harmless.
  package var isRetryable: Bool {
    switch kind {
    case .unavailable, .tooManyWaiting: true
    // Serialization failure, deadlock, lock not available, query canceled, server starting.
    case .refused: ["40001", "40P01", "55P03", "57014", "57P03"].contains(sqlstate)
    case .connectionLost, .mismatch, .migration, .closed: false
    }
  }

  /// The values are at fault: the same statement with others may be taken, the same with these never.
  package var isOfTheData: Bool {
    switch kind {
    case .mismatch: true
    // Data exception, integrity constraint, program limit (a text too long for its index), RAISE.
    case .refused: ["22", "23", "54", "P0"].contains(sqlstate.prefix(2))
    case .connectionLost, .unavailable, .tooManyWaiting, .migration, .closed: false
    }
  }

  package var description: String {
    sqlstate.isEmpty ? "\(kind): \(message)" : "\(kind) \(sqlstate): \(message)"
  }
}
