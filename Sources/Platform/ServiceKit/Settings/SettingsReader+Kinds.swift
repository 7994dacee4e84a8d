package import Units

extension SettingsReader {
  package func int(
    _ key: String, in range: ClosedRange<Int>, default value: Int, unit: String = "", _ doc: String
  ) -> Int {
    let row = SettingRow(
      key, type: "whole number \(range.lowerBound)...\(range.upperBound)", unit: unit,
      standard: String(value), doc)
    return read(row, default: value) { raw throws(Wrong) in
      let digits: String
      switch raw {
      case .typed(.integer(let text)), .text(let text): digits = text
      case .typed(let other): throw Wrong("expects a whole number, not \(other.kind)")
      }
      guard let number = Int(digits) else { throw Wrong("expects a whole number") }
      guard range.contains(number) else {
        throw Wrong("must be from \(range.lowerBound) to \(range.upperBound) \(unit)".trimmedEnd)
      }
      return number
    }
  }

  /// An exact number (money, sizes, fractions), written as a string: `max_order_size = "10"`.
  ///
  /// A bare number is refused: it says neither its unit nor its scale, and one source read
  /// `100000` as ten lots where another read it as a hundred thousand.
  package func decimal(
    _ key: String, in range: ClosedRange<Decimal>? = nil, default standard: String, unit: String,
    _ doc: String
  ) -> Decimal {
    guard let value = parsed(standard) else {
      preconditionFailure("the default of \(section).\(key) is no decimal: \(standard)")
    }
    let bounds = range.map { " \($0.lowerBound)...\($0.upperBound)" } ?? ""
    let row = SettingRow(
      key, type: "decimal string\(bounds)", unit: unit, standard: "\"\(standard)\"", doc)
    return read(row, default: value) { raw throws(Wrong) in
      let digits: String
      switch raw {
      case .typed(.string(let text)), .text(let text):
        digits = text
      case .typed(.integer(let text)), .typed(.float(let text)):
        throw Wrong(
          "a bare number does not say its unit or its scale and is never guessed at; "
            + "write a decimal string, in \(unit): \(key) = \"\(text)\"")
      case .typed(let other):
        throw Wrong("expects a decimal string in \(unit), not \(other.kind)")
      }
      let number: Decimal
      do throws(DecimalError) {
        number = try Decimal(parsing: digits)
      } catch {
        throw Wrong(error.problem)
      }
      if let range, !range.contains(number) {
        throw Wrong("must be from \(range.lowerBound) to \(range.upperBound) \(unit)")
      }
      return number
    }
  }

  private func parsed(_ text: String) -> Decimal? {
    do throws(DecimalError) { return try Decimal(parsing: text) } catch { return nil }
  }

  /// A whole number with its unit: `"250ms"`.
  package func duration(
    _ key: String, in range: ClosedRange<Duration>, default value: Duration, _ doc: String
  ) -> Duration {
    let (low, high) = (DurationText.print(range.lowerBound), DurationText.print(range.upperBound))
    let row = SettingRow(
      key, type: "duration \(low)...\(high)", standard: "\"\(DurationText.print(value))\"", doc)
    return read(row, default: value) { raw throws(Wrong) in
      let form = "expects a duration with its unit, such as \"250ms\", \"5s\" or \"1h\""
      let text: String
      switch raw {
      case .typed(.string(let written)), .text(let written): text = written
      case .typed: throw Wrong(form)
      }
      guard let duration = DurationText.parse(text) else { throw Wrong(form) }
      guard range.contains(duration) else { throw Wrong("must be from \(low) to \(high)") }
      return duration
    }
  }

  package func bool(_ key: String, default value: Bool, _ doc: String) -> Bool {
    let row = SettingRow(key, type: "true or false", standard: "\(value)", doc)
    return read(row, default: value) { raw throws(Wrong) in
      switch raw {
      case .typed(.boolean(let flag)): return flag
      case .text("true"): return true
      case .text("false"): return false
      default: throw Wrong("expects true or false")
      }
    }
  }

  /// `alias`: another environment variable that sets it too.
  package func string(
    _ key: String, default value: String, alias: String? = nil, isSecret: Bool = false,
    _ doc: String
  ) -> String {
    let row = SettingRow(key, type: "string", standard: "\"\(value)\"", isSecret: isSecret, doc)
    return read(row, alias: alias, default: value) { raw throws(Wrong) in
      try Self.string(raw)
    }
  }

  /// A file or folder; `~` is not expanded, relative ones are against the working folder.
  package func path(_ key: String, default value: String, _ doc: String) -> String {
    let row = SettingRow(key, type: "path", standard: "\"\(value)\"", doc)
    return read(row, default: value) { raw throws(Wrong) in
      let text = try Self.string(raw)
      guard !text.isEmpty, !text.utf8.contains(0) else { throw Wrong("expects a path") }
      return absolutePath(text)
    }
  }

  /// One of an enum's raw values.
  package func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, default value: Choice, _ doc: String
  ) -> Choice where Choice.RawValue == String {
    let names = Choice.allCases.map(\.rawValue)
    let row = SettingRow(
      key, type: names.joined(separator: " or "), standard: "\"\(value.rawValue)\"", doc)
    return read(row, default: value) { raw throws(Wrong) in
      let text = try Self.string(raw)
      guard let choice = Choice(rawValue: text) else {
        throw Wrong(
          "expects one of \(names.joined(separator: ", "))\(suggestion(for: text, among: names))")
      }
      return choice
    }
  }

  /// Strings; in the environment and in flags separated by commas.
  package func list(
    _ key: String, maximum: Int, default value: [String], _ doc: String
  ) -> [String] {
    let standard = value.map { "\"\($0)\"" }.joined(separator: ", ")
    let row = SettingRow(
      key, type: "list of at most \(maximum) strings", standard: "[\(standard)]", doc)
    return read(row, default: value) { raw throws(Wrong) in
      var strings: [String] = []
      switch raw {
      case .text(let text):
        strings = text.split(separator: ",").map(String.init)
      case .typed(.array(let elements)):
        for element in elements {
          guard case .string(let text) = element else {
            throw Wrong("expects a list of strings; one element is \(element.kind)")
          }
          strings.append(text)
        }
      case .typed(let other):
        throw Wrong("expects a list of strings, not \(other.kind)")
      }
      guard strings.count <= maximum else { throw Wrong("holds more than \(maximum) elements") }
      return strings
    }
  }

  private static func string(_ raw: Raw) throws(Wrong) -> String {
    switch raw {
    case .typed(.string(let text)), .text(let text): return text
    case .typed(let other): throw Wrong("expects a string, not \(other.kind)")
    }
  }
}

extension String {
  fileprivate var trimmedEnd: String { hasSuffix(" ") ? String(dropLast()) : self }
}
