/// A command of `shrivenquant`: how it is called, and what it does.
struct Command: Sendable {
  let form: CommandForm
  /// The process's exit code.
  let run: @Sendable (Arguments) throws -> Int32

  init(_ form: CommandForm, run: @escaping @Sendable (Arguments) throws -> Int32) {
    self.form = form
    self.run = run
  }
}
