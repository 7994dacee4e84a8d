internal import Chrono
internal import Glibc
internal import Loop
internal import ServiceKit

enum DownCommand {
  private static let patience = Duration.seconds(60)

  static let command = Command(
    CommandForm(
      "down", summary: "Stops the mesh that `up` started on this state folder, in order.",
      options: [
        MeshOptions.state,
        CommandForm.Option(
          "--purge", "removes all that `up` made, the PostgreSQL cluster included, wherever it lies"
        ),
        CommandForm.Option(
          "--cluster", value: "DIR", "with --purge: removes this orphan cluster, and nothing else"),
      ],
      notes: """
        Exit code 0 also when nothing ran. What a person has put into the state folder (mesh.toml) \
        stays, also with --purge. `up` and `status` tell of orphans: clusters of root's meshes under \
        /var/lib whose state folder is gone.
        """)
  ) { arguments in
    if let cluster = arguments.value("--cluster") {
      guard arguments.has("--purge") else {
        throw UsageError("--cluster says which orphan --purge removes")
      }
      return try purge(cluster: absolutePath(cluster))
    }
    let state = StateFolder(arguments.value("--state") ?? "var")
    let code = try stop(state)
    if code == 0, arguments.has("--purge") {
      try removeState(state) { Terminal.say($0) }
      for made in [state.run, state.path + "/up.log"] { try removeTree(made) }
      // Empty, unless a person has put something there.
      let isGone = rmdir(state.path) == 0 || errno == ENOENT
      Terminal.say("removed the state in \(state.path)\(isGone ? "" : "; what is yours is left")")
    }
    return code
  }

  private static func purge(cluster: String) throws -> Int32 {
    guard let orphan = OrphanCluster.found().first(where: { $0.folder == cluster }) else {
      let known = OrphanCluster.found().map(\.folder).joined(separator: ", ")
      throw CommandError(
        "\(cluster) is no orphan cluster; \(known.isEmpty ? "there are none" : "there are \(known)")"
      )
    }
    try orphan.remove()
    Terminal.say("removed the PostgreSQL cluster \(cluster)")
    return 0
  }

  private static func stop(_ state: StateFolder) throws -> Int32 {
    guard StateLock.isHeld(state), let record = MeshRecord.read(state) else {
      let left = try MeshDatabase.stopLeftover(state) { Terminal.complain($0) }
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
