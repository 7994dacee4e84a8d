internal import CPostgres

/// The answer to one statement.
package struct Rows: Sendable, RandomAccessCollection {
  fileprivate let result: Result
  package let columns: [String]
  fileprivate let fieldByName: [String: Int32]

  /// Takes the result over.
  init(_ pointer: OpaquePointer) {
    result = Result(pointer)
    columns = (0..<PQnfields(pointer)).map { String(cString: PQfname(pointer, $0)) }
    fieldByName = Dictionary(
      columns.enumerated().map { ($1, Int32($0)) }, uniquingKeysWith: { first, _ in first })
  }

  package var startIndex: Int { 0 }
  package var endIndex: Int { Int(PQntuples(result.pointer)) }
  package subscript(position: Int) -> Row {
    precondition(indices.contains(position), "row \(position) of \(count)")
    return Row(rows: self, index: Int32(position))
  }

  /// How many rows an INSERT, UPDATE, DELETE or SELECT touched.
  package var affected: Int { Int(String(cString: PQcmdTuples(result.pointer))) ?? 0 }

  /// What the server did: `COMMIT`, `INSERT 0 1`.
  var command: String { String(cString: PQcmdStatus(result.pointer)) }

  /// `@unchecked Sendable`: a complete PGresult is not changed by reading it, and nothing else is done.
  fileprivate final class Result: @unchecked Sendable {
    let pointer: OpaquePointer
    init(_ pointer: OpaquePointer) { self.pointer = pointer }
    deinit { PQclear(pointer) }
  }
}

/// One row; values are read by column name and type: `let id: Int64 = try row.read("id")`.
package struct Row: Sendable {
  fileprivate let rows: Rows
  fileprivate let index: Int32

  /// Throws for NULL, for a column that is not there, and for a value that is not a `Value`.
  package func read<Value: SQLReadable>(
    _ column: String, as type: Value.Type = Value.self
  ) throws(SQLError) -> Value {
    guard let value = try readIfPresent(column, as: type) else {
      throw SQLError(.mismatch, "column \(column) is NULL, not \(Value.self)")
    }
    return value
  }

  /// Nil for NULL.
  package func readIfPresent<Value: SQLReadable>(
    _ column: String, as type: Value.Type = Value.self
  ) throws(SQLError) -> Value? {
    guard let field = rows.fieldByName[column] else {
      throw SQLError(
        .mismatch, "no column \(column) among \(rows.columns.joined(separator: ", "))")
    }
    let pointer = rows.result.pointer
    guard PQgetisnull(pointer, index, field) == 0 else { return nil }
    let text = String(cString: PQgetvalue(pointer, index, field))
    guard let value = Value(sqlText: text) else {
      throw SQLError(.mismatch, "column \(column) holds \(text.prefix(40)), not \(Value.self)")
    }
    return value
  }
}
