internal import ServiceKit

/// The program: finds the command, or the service whose name it was called by.
package enum ShrivenQuant {
  static let commands: [Command] = [
    UpCommand.command, DownCommand.command, StatusCommand.command, RunCommand.command,
    CheckCommand.command, ListCommand.command, ProbeCommand.command, CallCommand.command,
    TokenCommand.command, KillCommand.command, CaptureCommand.command, ReplayCommand.command,
    VenueSimCommand.command, StormCommand.command,
    InteropServerCommand.command,
    InteropClientCommand.command,
  ]

  /// Runs to the end; `words` begin with the name the program was called by.
  package static func main(_ words: [String]) -> Int32 {
    let name = words.first.map { String($0.split(separator: "/").last ?? "") } ?? "shrivenquant"
    var rest = Array(words.dropFirst())
    if Catalog.names.contains(name) {
      return run(RunCommand.command, [name] + rest)
    }
    guard let first = rest.first else {
      Terminal.say(help)
      return 2
    }
    rest.removeFirst()
    if first == "--help" || first == "-h" || first == "help" { return help(on: rest.first) }
    if let command = commands.first(where: { $0.form.name == first }) { return run(command, rest) }
    if Catalog.names.contains(first) { return run(RunCommand.command, [first] + rest) }
    let known = commands.map(\.form.name) + Catalog.names
    Terminal.complain(
      "shrivenquant: there is no command \"\(first)\"\(suggestion(for: first, among: known))")
    Terminal.complain("shrivenquant --help lists them")
    return 2
  }

  private static func run(_ command: Command, _ words: [String]) -> Int32 {
    if words.prefix(while: { $0 != "--" }).contains(where: { $0 == "--help" || $0 == "-h" }) {
      Terminal.say(command.form.help)
      return 0
    }
    do {
      return try command.run(Arguments(words, as: command.form))
    } catch let error as UsageError {
      Terminal.complain("shrivenquant \(command.form.name): \(error)")
      Terminal.complain("usage: \(command.form.usage)   (--help says more)")
      return 2
    } catch {
      Terminal.complain("shrivenquant \(command.form.name): \(errorText(error))")
      return 1
    }
  }

  private static func help(on name: String?) -> Int32 {
    guard let name else {
      Terminal.say(help)
      return 0
    }
    guard let command = commands.first(where: { $0.form.name == name }) else {
      let known = commands.map(\.form.name)
      Terminal.complain("there is no command \"\(name)\"\(suggestion(for: name, among: known))")
      return 2
    }
    Terminal.say(command.form.help)
    return 0
  }

  private static var help: String {
    let rows = commands.map { ["  \($0.form.name)", $0.form.summary] }
    return """
      shrivenquant COMMAND [options]: an algorithmic-trading mesh

      \(Terminal.table(rows))

      shrivenquant COMMAND --help says more. A service's name runs that service, also as the name
      of a symlink to this program.
      """
  }
}
