internal import Chrono
internal import Mutants

/// Breaks one rule after another, and counts the seeds until the storm has found out.
struct StormMutants {
  /// The seed to begin with.
  let settings: StormSettings
  let seedsMax: Int
  let folder: String
  let say: (String) -> Void
  private var sound: [MutantTrial: [UInt64: Bool]] = [:]

  init(
    settings: StormSettings, seedsMax: Int, folder: String, say: @escaping (String) -> Void
  ) {
    self.settings = settings
    self.seedsMax = seedsMax
    self.folder = folder
    self.say = say
  }

  /// True when every one was caught. Seeds that break a rule of themselves prove nothing, and are
  /// passed over.
  mutating func run(_ mutants: [Mutant]) throws -> Bool {
    say("| mutant | faults | seeds | what is broken then |")
    say("|---|---|---|---|")
    var caught = 0
    for mutant in mutants {
      let (count, violation) = try hunt(mutant)
      let name = "\(mutant.rawValue) | \(mutant.trial.faults)"
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

  private func settings(_ seed: UInt64, _ trial: MutantTrial) throws -> StormSettings {
    var one = settings
    one.seed = seed
    one.faults = try StormProgram.faults(trial.faults)
    one.duration = .seconds(trial.seconds)
    one.round = .seconds(trial.round)
    one.density = trial.density
    return one
  }

  /// Whether a seed holds in this weather when nothing is broken; known once, and only when asked for.
  private mutating func isSound(_ seed: UInt64, _ trial: MutantTrial) throws -> Bool {
    if let known = sound[trial]?[seed] { return known }
    let chosen = Mutant.chosenName
    Mutant.chooseNone()
    defer { if let chosen { _ = Mutant.choose(chosen) } }
    let violation = try Storm.run(settings(seed, trial), folder: folder).violation
    if let violation {
      say("seed \(seed) with \(trial.faults) breaks a rule without any mutant: \(violation)")
    }
    sound[trial, default: [:]][seed] = violation == nil
    return violation == nil
  }

  /// A seed counts as a catch when it breaks a rule with the mutant and none without it.
  private mutating func hunt(
    _ mutant: Mutant
  ) throws -> (count: Int, violation: StormViolation?) {
    defer { Mutant.chooseNone() }
    guard Mutant.choose(mutant.rawValue) != nil else { return (0, nil) }
    for count in 1...seedsMax {
      let seed = settings.seed &+ UInt64(count - 1)
      let result = try Storm.run(settings(seed, mutant.trial), folder: folder)
      if let violation = result.violation, try isSound(seed, mutant.trial) {
        return (count, violation)
      }
    }
    return (seedsMax, nil)
  }
}
