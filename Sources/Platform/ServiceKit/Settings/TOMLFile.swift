internal import CTOML

/// A TOML document as a flat list of its values in the order of the file.
package struct TOMLFile: Sendable {
  package enum Value: Sendable, Hashable {
    case table
    /// Its elements as text; arrays of tables are refused by whoever reads them.
    case array([Value])
    case string(String)
    case integer(String)
    case float(String)
    case boolean(Bool)
    case moment(String)

    /// `a string`, for messages.
    package var kind: String {
      switch self {
      case .table: "a table"
      case .array: "a list"
      case .string: "a string"
      case .integer: "a whole number"
      case .float: "a floating-point number"
      case .boolean: "a Boolean"
      case .moment: "a date or time"
      }
    }
  }

  package struct Entry: Sendable {
    /// Dotted: `oms.max_order_size`.
    package let path: String
    package let value: Value
    package let line: Int
  }

  /// Where the text came from, for messages.
  package let name: String
  package let entries: [Entry]

  package init(reading path: String) throws(SettingsError) {
    let text: [UInt8]
    do throws(FileError) {
      text = try readFile(path)
    } catch {
      throw SettingsError("\(error)")
    }
    try self.init(parsing: text, name: path)
  }

  package init(parsing text: [UInt8], name: String) throws(SettingsError) {
    let document = text.withUnsafeBytes { bytes in
      ctoml_parse(
        bytes.baseAddress.map { $0.assumingMemoryBound(to: CChar.self) } ?? Self.empty, bytes.count)
    }
    guard let document else { throw SettingsError("no memory to parse \(name)") }
    defer { ctoml_free(document) }
    if let problem = ctoml_error(document) {
      let line = ctoml_error_line(document)
      let place = line == 0 ? name : "\(name), line \(line)"
      throw SettingsError("\(place): \(String(cString: problem))")
    }
    var reader = Reader(document: document)
    self.name = name
    self.entries = reader.rest()
  }

  private nonisolated(unsafe) static let empty: UnsafePointer<CChar> = {
    let zero = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
    zero.pointee = 0
    return UnsafePointer(zero)
  }()

  package func value(_ path: String) -> Value? {
    entries.first { $0.path == path }?.value
  }

  /// Walks toml++'s flat list, folding the elements of an array into its value.
  private struct Reader {
    let document: OpaquePointer
    var index = 0

    mutating func rest() -> [Entry] {
      var entries: [Entry] = []
      while index < ctoml_count(document) {
        let entry = ctoml_at(document, index)
        let path = String(cString: entry.path)
        entries.append(Entry(path: path, value: value(entry, path), line: Int(entry.line)))
      }
      return entries
    }

    private mutating func value(_ entry: ctoml_entry, _ path: String) -> Value {
      index += 1
      let text = String(
        decoding: UnsafeRawBufferPointer(start: entry.text, count: entry.length), as: UTF8.self)
      switch Int(entry.kind) {
      case Int(CTOML_TABLE): return .table
      case Int(CTOML_STRING): return .string(text)
      case Int(CTOML_INTEGER): return .integer(text)
      case Int(CTOML_FLOAT): return .float(text)
      case Int(CTOML_BOOLEAN): return .boolean(text == "true")
      case Int(CTOML_MOMENT): return .moment(text)
      default: return array(path)
      }
    }

    private mutating func array(_ path: String) -> Value {
      var elements: [Value] = []
      while index < ctoml_count(document) {
        let entry = ctoml_at(document, index)
        let inner = String(cString: entry.path)
        guard inner.hasPrefix(path + ".") else { break }
        elements.append(value(entry, inner))
      }
      return .array(elements)
    }
  }
}
