internal import Storm

enum StormCommand {
  static let command = Command(
    CommandForm(
      "storm", operands: "", 0...0,
      summary:
        "The whole money path in one process on a simulated clock, with everything going wrong.",
      options: [
        CommandForm.Option("--seed", value: "N", "what everything is drawn from (default 1)"),
        CommandForm.Option("--hours", value: "H", "simulated (default 1)"),
        CommandForm.Option("--minutes", value: "M", "simulated, instead of hours"),
        CommandForm.Option("--seconds", value: "S", "simulated, instead of hours"),
        CommandForm.Option("--round", value: "S", "simulated seconds until a calm (default 300)"),
        CommandForm.Option("--density", value: "N", "faults come N times as often (default 1)"),
        CommandForm.Option("--faults", value: "LIST", "kinds of faults; all (default), or none"),
        CommandForm.Option("--orders", value: "N", "a second, over nine markets (default 20)"),
        CommandForm.Option("--seeds", value: "N", "so many seeds, one after another (default 1)"),
        CommandForm.Option("--time", value: "SECONDS", "seeds until so much real time has passed"),
        CommandForm.Option("--whole", "a seed that breaks a rule is not made shorter"),
        CommandForm.Option("--trace", "tells what happened, also of a run that holds"),
        CommandForm.Option("--mutant", value: "NAME", "breaks one rule, in a build that has them"),
      ],
      notes: """
          shrivenquant storm --seed 7 --hours 1
          shrivenquant storm --seed 1 --minutes 10 --time 600 --faults crashes,power,space

        One line for each seed; the same seed, time and faults are the same run, byte for byte, as its \
        digest shows. A seed that breaks a rule is run again with fewer faults, less time and fewer \
        orders as long as it breaks the same one, and what is left is told. Exit code 1: a rule was \
        broken. docs/storm.md has the faults, the rules and the mutants.
        """)
  ) { arguments in
    var words: [String] = []
    for option in ["--whole", "--trace"] where arguments.has(option) { words.append(option) }
    for option in [
      "--seed", "--hours", "--minutes", "--seconds", "--round", "--density", "--faults", "--orders",
      "--seeds", "--time", "--mutant",
    ] {
      if let value = arguments.value(option) { words += [option, value] }
    }
    StormProgram.fixHashing(CommandLine.arguments)
    return StormProgram.main(words) { Terminal.say($0) }
  }
}
