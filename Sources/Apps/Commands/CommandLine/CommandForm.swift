/// What may follow a command on its line.
package struct CommandForm: Sendable {
  package struct Option: Sendable {
    /// With its dashes: `--state`.
    package let name: String
    /// One letter with its dash: `-n`.
    package let letter: String?
    /// What follows it: `DIR`; nil for a switch.
    package let value: String?
    package let doc: String

    package init(_ name: String, letter: String? = nil, value: String? = nil, _ doc: String) {
      self.name = name
      self.letter = letter
      self.value = value
      self.doc = doc
    }
  }

  package let name: String
  /// `SERVICE|HOST:PORT`, for the usage line.
  package let operands: String
  package let operandsRange: ClosedRange<Int>
  /// One sentence for the list of commands.
  package let summary: String
  package let options: [Option]
  /// Paragraphs after the options: examples and exit codes.
  package let notes: String

  package init(
    _ name: String, operands: String = "", _ operandsRange: ClosedRange<Int> = 0...0,
    summary: String, options: [Option] = [], notes: String = ""
  ) {
    self.name = name
    self.operands = operands
    self.operandsRange = operandsRange
    self.summary = summary
    self.options = options
    self.notes = notes
  }

  package var usage: String {
    let operands = operands.isEmpty ? "" : " \(operands)"
    return "shrivenquant \(name)\(operands)\(options.isEmpty ? "" : " [options]")"
  }

  package var help: String {
    var text = "\(usage)\n\n\(summary)\n"
    if !options.isEmpty {
      let rows = options.map { option in
        let letter = option.letter.map { "\($0), " } ?? ""
        return (letter + option.name + (option.value.map { " \($0)" } ?? ""), option.doc)
      }
      let width = rows.map(\.0.count).max() ?? 0
      text += "\noptions:\n"
      for (left, right) in rows {
        text += "  \(left)\(String(repeating: " ", count: width - left.count))  \(right)\n"
      }
    }
    return notes.isEmpty ? text : text + "\n\(notes)\n"
  }
}
