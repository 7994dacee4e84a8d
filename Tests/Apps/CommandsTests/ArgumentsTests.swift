import Testing

@testable import Commands

@Suite struct `Command line` {
  let form = CommandForm(
    "call", operands: "SERVICE/METHOD", 1...2, summary: "Calls.",
    options: [
      CommandForm.Option("--state", value: "DIR", "where"),
      CommandForm.Option("--messages", letter: "-n", value: "N", "how many"),
      CommandForm.Option("--fresh", "anew"), CommandForm.Option("--set", value: "K=V", "one"),
    ])

  func problem(_ words: [String]) -> String? {
    do throws(UsageError) {
      _ = try Arguments(words, as: form)
      return nil
    } catch {
      return error.description
    }
  }

  @Test func `options stand anywhere, with a blank or an equals sign, or by their letter`() throws {
    let arguments = try Arguments(
      ["--state", "/a b", "oms/GetOrder", "-n", "3", #"{"a":-1}"#, "--fresh", "--set=x.y=z=1"],
      as: form)

    #expect(arguments.operands == ["oms/GetOrder", #"{"a":-1}"#])
    #expect(arguments.value("--state") == "/a b")
    #expect(try arguments.int("--messages", in: 1...10, default: 1) == 3)
    #expect(arguments.has("--fresh"))
    #expect(arguments.values("--set") == ["x.y=z=1"])
  }

  @Test func `the last of an option counts, a repeated one has all`() throws {
    let arguments = try Arguments(["x", "--set", "a=1", "--set", "b=2"], as: form)

    #expect(arguments.value("--set") == "b=2")
    #expect(arguments.values("--set") == ["a=1", "b=2"])
  }

  @Test func `two dashes end the options`() throws {
    #expect(try Arguments(["x", "--", "--fresh"], as: form).operands == ["x", "--fresh"])
  }

  @Test func `an unknown option is refused with the nearest known one`() {
    #expect(problem(["x", "--frsh"]) == #"call has no option --frsh; did you mean "--fresh"?"#)
    #expect(problem(["x", "--stat=1"])?.contains(#""--state""#) == true)
    #expect(problem(["x", "-q"])?.hasPrefix("call has no option -q") == true)
  }

  @Test func `what is missing or too much is named`() {
    #expect(problem([]) == "SERVICE/METHOD is missing")
    #expect(problem(["a", "b", "c"]) == #""c" is one argument too many"#)
    #expect(problem(["a", "--state"]) == "--state needs a value: --state DIR")
    #expect(problem(["a", "--fresh=yes"]) == "--fresh takes no value")
  }

  @Test(arguments: ["0", "11", "x", "1.5", ""])
  func `a number out of range is refused`(_ text: String) throws {
    let arguments = try Arguments(["x", "-n", text], as: form)

    #expect(throws: UsageError.self) { try arguments.int("--messages", in: 1...10, default: 1) }
  }

  @Test func `help lists every option`() {
    #expect(form.help.contains("-n, --messages N"))
    #expect(form.help.contains("--set K=V"))
    #expect(form.help.hasPrefix("shrivenquant call SERVICE/METHOD [options]"))
  }

  @Test func `every command has help, and no name twice`() {
    let names = ShrivenQuant.commands.map(\.form.name)

    #expect(Set(names).count == names.count)
    for command in ShrivenQuant.commands { #expect(command.form.help.count > 60) }
  }

  @Test func `unknown commands and services end with code 2`() {
    #expect(ShrivenQuant.main(["shrivenquant", "upp"]) == 2)
    #expect(ShrivenQuant.main(["shrivenquant", "check", "sentiment-analyser"]) == 2)
    #expect(ShrivenQuant.main(["shrivenquant", "up", "--portoffset", "1"]) == 2)
  }
}
