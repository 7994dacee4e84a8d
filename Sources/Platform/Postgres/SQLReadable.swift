internal import Bytes
package import Chrono
package import Units

/// A type that a column's text can be read as. Nil means that it cannot: nothing is rounded or cut.
package protocol SQLReadable {
  init?(sqlText: String)
}

extension String: SQLReadable {
  package init?(sqlText: String) { self = sqlText }
}

extension Int64: SQLReadable {
  package init?(sqlText: String) { self.init(sqlText) }
}

extension Int: SQLReadable {
  package init?(sqlText: String) { self.init(sqlText) }
}

extension Int32: SQLReadable {
  package init?(sqlText: String) { self.init(sqlText) }
}

extension Int128: SQLReadable {
  package init?(sqlText: String) { self.init(sqlText) }
}

extension Double: SQLReadable {
  package init?(sqlText: String) { self.init(sqlText) }
}

extension Bool: SQLReadable {
  package init?(sqlText: String) {
    switch sqlText {
    case "t": self = true
    case "f": self = false
    default: return nil
    }
  }
}

extension Decimal: SQLReadable {
  package init?(sqlText: String) {
    // `try?` would hide which error it was, and here every error means the same.
    do throws(DecimalError) { try self.init(parsing: sqlText) } catch { return nil }
  }
}

extension Instant: SQLReadable {
  package init?(sqlText: String) { self.init(rfc3339: sqlText) }
}

extension [UInt8]: SQLReadable {
  /// `bytea_output = hex`, which every connection asks for.
  package init?(sqlText: String) {
    guard sqlText.hasPrefix("\\x"), let bytes = Hexadecimal.decode(sqlText.dropFirst(2)) else {
      return nil
    }
    self = bytes
  }
}
