internal import Chrono
internal import Glibc
internal import Mutants

/// What `shrivenquant storm` is asked for.
package struct StormOptions: Sendable {
  package var settings: StormSettings
  /// So many seeds, one after another.
  package var seeds = 1
  /// Seeds until so much real time has passed; nil: `seeds` alone.
  package var time: Duration?
  package var shrinks = true
  package var isTraced = false
  /// Every mutant of this build, one after another, instead of one storm.
  package var huntsMutants = false
  /// Only these of them; empty for all.
  package var mutants: [String] = []
  /// Where lines go.
  package var say: @Sendable (String) -> Void

  package init(_ settings: StormSettings, say: @escaping @Sendable (String) -> Void) {
    self.settings = settings
    self.say = say
  }
}

/// A storm from the shell.
package enum StormProgram {
  private static let mutantSeeds = 12
  private static let hashing = "SWIFT_DETERMINISTIC_HASHING"

  /// The order of dictionaries must be the seed's too, and is settled when a process begins: without
  /// it the process begins again.
  package static func fixHashing(_ words: [String]) {
    if getenv(hashing) != nil { return }
    setenv(hashing, "1", 1)
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
    arguments.append(nil)
    execv("/proc/self/exe", &arguments)
    perror("the storm cannot begin again with \(hashing)")
    exit(1)
  }

  /// 0: every seed held. 1: one did not.
  package static func run(_ options: StormOptions) throws -> Int32 {
    let folder = try folder()
    defer { remove(folder) }
    if options.huntsMutants {
      var hunt = StormMutants(
        settings: options.settings, seedsMax: max(options.seeds, mutantSeeds), folder: folder,
        say: options.say)
      let named = options.mutants.compactMap { Mutant(rawValue: $0) }
      return try hunt.run(named.isEmpty ? Mutant.allCases : named) ? 0 : 1
    }
    var settings = options.settings
    settings.isTraced = options.isTraced
    let result = try Storm.run(settings, folder: folder)
    options.say(result.summary)
    if let violation = result.violation {
      try tell(settings, violation, options, folder: folder)
      return 1
    }
    if options.isTraced { for line in result.trace { options.say(line) } }
    return 0
  }

  /// One seed after another, each in a process of its own: tasks that died with a simulated process are
  /// never freed, and a run of hours would fill the memory.
  static func runMany(_ options: StormOptions) throws -> Int32 {
    let began = SystemTime().uptime
    var (seed, count) = (options.settings.seed, 0)
    while true {
      let code = try runAlone(seed)
      guard code == 0 else { return code }
      count += 1
      seed &+= 1
      if let time = options.time {
        if SystemTime().uptime - began >= time { return 0 }
      } else if count >= options.seeds {
        return 0
      }
    }
  }

  /// This program again, with the words that it was begun with, but for this seed.
  private static func runAlone(_ seed: UInt64) throws -> Int32 {
    var words: [String] = []
    var rest = CommandLine.arguments[...]
    while let word = rest.popFirst() {
      if ["--seed", "--seeds", "--time"].contains(word) {
        _ = rest.popFirst()
      } else {
        words.append(word)
      }
    }
    words += ["--seed", "\(seed)"]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var child = pid_t()
    let problem = posix_spawn(&child, "/proc/self/exe", nil, nil, &arguments, environ)
    guard problem == 0 else {
      throw StormViolation(rule: .alive, text: "no process for seed \(seed): errno \(problem)")
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) == -1, errno == EINTR {}
    // Ended by a signal: that is a fault as well.
    return status & 0x7f == 0 ? status >> 8 & 0xff : 1
  }

  /// The run again with its trace, as short as it can be made.
  private static func tell(
    _ settings: StormSettings, _ violation: StormViolation, _ options: StormOptions,
    folder: String
  ) throws {
    var shortest = settings
    if options.shrinks {
      var shrinking = StormShrinking(settings, violation.rule, folder: folder, say: options.say)
      shortest = try shrinking.run()
    }
    shortest.isTraced = true
    let result = try Storm.run(shortest, folder: folder)
    for line in result.trace.suffix(options.isTraced ? .max : 200) { options.say(line) }
    if !result.about.isEmpty {
      options.say("about it:")
      for line in result.about.prefix(400) { options.say(line) }
    }
    options.say(result.summary)
    options.say("again: \(command(shortest))")
  }

  private static func command(_ settings: StormSettings) -> String {
    let faults = settings.faults.map(\.rawValue).sorted().joined(separator: ",")
    let usual = StormSettings(seed: 0)
    var words = ["shrivenquant storm --seed \(settings.seed)"]
    // Rounded up: what broke near the end of it breaks again.
    words.append("--seconds \((StormResult.milliseconds(settings.duration) + 999) / 1_000)")
    words.append("--faults \(faults.isEmpty ? "none" : faults)")
    if settings.round != usual.round {
      words.append("--round \(StormResult.milliseconds(settings.round) / 1_000)")
    }
    if settings.density != usual.density { words.append("--density \(settings.density)") }
    if settings.ordersPerSecond != usual.ordersPerSecond {
      words.append("--orders \(settings.ordersPerSecond)")
    }
    return words.joined(separator: " ")
  }

  private static func folder() throws -> String {
    var template = Array("/tmp/shrivenquant-storm-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw StormViolation(rule: .alive, text: "no temporary folder: errno \(errno)")
    }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The folder has folders of services, and what of the kill switch is kept beside the journals.
  private static func remove(_ folder: String) {
    Storm.wipe(folder)
    let services = StormWorld.services.map { "/journal/\($0)" }
    for path in services + ["/journal", "/run", ""] { rmdir(folder + path) }
  }
}
