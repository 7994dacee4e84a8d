internal import Chrono
internal import Glibc
internal import Loop
internal import ServiceKit

enum DownCommand {
  private static let patience = Duration.seconds(60)

  static let command = Command(
    CommandForm(
      "down", summary: "Stops the mesh that `up` started on this state folder, in order.",
      options: [MeshOptions.state],
      notes: "Exit code 0 also when nothing ran.")
  ) { arguments in
    let state = StateFolder(arguments.value("--state") ?? "var")
    guard StateLock.isHeld(state), let record = MeshRecord.read(state) else {
      let left = try MeshDatabase.stopLeftover(state)
      Terminal.say("no mesh runs on \(state.path)\(left ? "; stopped its PostgreSQL" : "")")
      return 0
    }
    guard kill(record.supervisor, SIGTERM) == 0 else {
      throw CommandError("process \(record.supervisor) cannot be told to stop")
    }
    Terminal.say("stopping the mesh on \(state.path) (process \(record.supervisor))")
    return try onLoop { loop in
      let deadline = loop.uptime + patience
      while StateLock.isHeld(state) {
        guard loop.uptime < deadline else {
          throw CommandError("process \(record.supervisor) has not ended; see log/up.log")
        }
        await loop.sleep(for: .milliseconds(50))
      }
      Terminal.say("stopped")
      return 0
    }
  }
}
