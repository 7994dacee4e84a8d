internal import ServiceKit

/// A command line as its form understands it.
package struct Arguments: Sendable {
  package private(set) var operands: [String] = []
  private var options: [String: [String]] = [:]

  /// `--` ends the options; `--name value` and `--name=value` are the same.
  package init(_ words: [String], as form: CommandForm) throws(UsageError) {
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--" {
        operands += rest
        break
      }
      // A lone dash, negative numbers and JSON are operands.
      guard word.hasPrefix("-"), word.count > 1, !word.dropFirst().first!.isNumber else {
        operands.append(word)
        continue
      }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let option = try Self.option(String(parts[0]), of: form)
      if option.value == nil {
        guard parts.count == 1 else { throw UsageError("\(option.name) takes no value") }
        options[option.name, default: []].append("")
      } else if parts.count == 2 {
        options[option.name, default: []].append(String(parts[1]))
      } else {
        guard let value = rest.popFirst() else {
          throw UsageError("\(option.name) needs a value: \(option.name) \(option.value!)")
        }
        options[option.name, default: []].append(value)
      }
    }
    guard form.operandsRange.contains(operands.count) else {
      let surplus = operands.count > form.operandsRange.upperBound
      throw UsageError(
        surplus
          ? "\"\(operands[form.operandsRange.upperBound])\" is one argument too many"
          : "\(form.operands) is missing")
    }
  }

  private static func option(
    _ name: String, of form: CommandForm
  ) throws(UsageError) -> CommandForm.Option {
    if let option = form.options.first(where: { $0.name == name || $0.letter == name }) {
      return option
    }
    let known = form.options.map(\.name) + ["--help"]
    throw UsageError("\(form.name) has no option \(name)\(suggestion(for: name, among: known))")
  }

  package func has(_ option: String) -> Bool { options[option] != nil }
  /// The last one given.
  package func value(_ option: String) -> String? { options[option]?.last }
  package func values(_ option: String) -> [String] { options[option] ?? [] }

  package func int(
    _ option: String, in range: ClosedRange<Int>, default standard: Int
  ) throws(UsageError) -> Int {
    guard let text = value(option) else { return standard }
    guard let number = Int(text), range.contains(number) else {
      throw UsageError(
        "\(option) is \"\(text)\": a whole number from \(range.lowerBound) to \(range.upperBound) "
          + "is expected")
    }
    return number
  }
}

/// The command line cannot be understood; exit code 2.
package struct UsageError: Error, Hashable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// The command was understood and cannot be done; exit code 1.
package struct CommandError: Error, Hashable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}
