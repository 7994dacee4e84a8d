internal import Chrono
internal import Mutants

extension StormProgram {
  /// Reads words and runs: `--seed N --minutes M --seeds COUNT --faults a,b --time SECONDS --trace`.
  package static func main(
    _ words: [String], say: @escaping @Sendable (String) -> Void
  ) -> Int32 {
    do {
      let options = try options(words, say)
      let isMany = (options.time != nil || options.seeds > 1) && !options.huntsMutants
      return isMany ? try runMany(options) : try run(options)
    } catch {
      say("storm: \(error)")
      return 2
    }
  }

  private struct WordError: Error, CustomStringConvertible {
    let description: String
  }

  static func faults(_ list: String) throws -> Set<StormFault> {
    if list == "none" { return [] }
    if list == "all" { return Set(StormFault.allCases) }
    return Set(
      try list.split(separator: ",").map { word in
        guard let fault = StormFault(rawValue: String(word)) else {
          let known = StormFault.allCases.map(\.rawValue).joined(separator: ", ")
          throw WordError(description: "there is no fault \(word): \(known)")
        }
        return fault
      })
  }

  private static func options(
    _ words: [String], _ say: @escaping @Sendable (String) -> Void
  ) throws -> StormOptions {
    var options = StormOptions(StormSettings(seed: 1), say: say)
    var rest = words[...]
    func number(_ word: String, _ name: String) throws -> Int {
      guard let number = Int(word), number >= 0 else {
        throw WordError(description: "\(name) wants a number, not \(word)")
      }
      return number
    }
    while let word = rest.popFirst() {
      if word == "--trace" {
        options.isTraced = true
        continue
      }
      if word == "--mutants" {
        options.huntsMutants = true
        continue
      }
      if word == "--whole" {
        options.shrinks = false
        continue
      }
      guard let value = rest.popFirst() else {
        throw WordError(description: "\(word) wants a value")
      }
      switch word {
      case "--seed": options.settings.seed = UInt64(try number(value, word))
      case "--seeds": options.seeds = try number(value, word)
      case "--minutes": options.settings.duration = .seconds(60 * (try number(value, word)))
      case "--hours": options.settings.duration = .seconds(3_600 * (try number(value, word)))
      case "--orders": options.settings.ordersPerSecond = try number(value, word)
      case "--time": options.time = .seconds(try number(value, word))
      case "--mutant":
        guard Mutant.choose(value) != nil else {
          let names = Mutant.allCases.map(\.rawValue).joined(separator: ", ")
          throw WordError(
            description: Mutant.areCompiledIn
              ? "there is no mutant \(value): \(names)"
              : "this build has no mutants: make storm-mutants makes one")
        }
      case "--only": options.mutants = value.split(separator: ",").map(String.init)
      case "--density": options.settings.density = try number(value, word)
      case "--round": options.settings.round = .seconds(try number(value, word))
      case "--seconds": options.settings.duration = .seconds(try number(value, word))
      case "--faults": options.settings.faults = try faults(value)
      default: throw WordError(description: "there is no option \(word)")
      }
    }
    return options
  }
}
