internal import Chrono
internal import Mutants

/// Breaks one rule after another, and counts the seeds until the storm has found out.
struct StormMutants {
  let settings: StormSettings
  let seedsMax: Int
  let folder: String
  let say: (String) -> Void

  /// True when every one was caught. Seeds that break a rule of themselves prove nothing, and are
  /// passed over.
  func run(_ mutants: [Mutant]) throws -> Bool {
    let seeds = try soundSeeds()
    say("| mutant | seeds | what is broken then |")
    say("|---|---|---|")
    var caught = 0
    for mutant in mutants {
      let (count, violation) = try hunt(mutant, seeds)
      let name = mutant.rawValue
      if let violation {
        caught += 1
        say("| \(name) | \(count) | \(violation.rule.rawValue) |")
      } else {
        say("| \(name) | not in \(count) | |")
      }
    }
    say("\(caught) of \(mutants.count) caught within \(seedsMax) seeds")
    return caught == mutants.count
  }

  private func soundSeeds() throws -> [UInt64] {
    Mutant.chooseNone()
    var sound: [UInt64] = []
    var seed = settings.seed
    while sound.count < seedsMax, seed < settings.seed + UInt64(3 * seedsMax) {
      var one = settings
      one.seed = seed
      if try Storm.run(one, folder: folder).violation == nil { sound.append(seed) }
      seed += 1
    }
    let passed = Int(seed - settings.seed) - sound.count
    if passed > 0 { say("\(passed) seeds break a rule without any mutant") }
    return sound
  }

  private func hunt(
    _ mutant: Mutant, _ seeds: [UInt64]
  ) throws -> (count: Int, violation: StormViolation?) {
    defer { Mutant.chooseNone() }
    guard Mutant.choose(mutant.rawValue) != nil else { return (0, nil) }
    for (index, seed) in seeds.enumerated() {
      var one = settings
      one.seed = seed
      if let violation = try Storm.run(one, folder: folder).violation {
        return (index + 1, violation)
      }
    }
    return (seeds.count, nil)
  }
}
