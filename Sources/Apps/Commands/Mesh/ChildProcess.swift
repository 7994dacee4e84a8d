internal import Glibc
internal import Loop

/// How a child process is begun: its words, its log, what its environment has beyond ours.
struct ChildPlan: Sendable {
  let name: String
  let words: [String]
  let environment: [String: String]
  let log: String
}

enum ChildProcess {
  /// Starts `program`. The child reads nothing, writes to its log, has no blocked signals and no
  /// descriptor of ours but `passed`, which it finds as 3. `ownGroup`: Ctrl-C does not reach it, so that
  /// the supervisor can stop its children in order.
  static func start(
    _ plan: ChildPlan, program: String, ownGroup: Bool = true, passed: Int32? = nil
  ) throws(SystemError) -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, plan.log, O_WRONLY | O_CREAT | O_APPEND, 0o640)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    if let passed { posix_spawn_file_actions_adddup2(&actions, passed, 3) }
    // Whoever started us may have left descriptors open, and may wait for their end.
    for descriptor in (passed == nil ? 3 : 4)..<Int32(min(sysconf(Int32(_SC_OPEN_MAX)), 1024)) {
      posix_spawn_file_actions_addclose(&actions, descriptor)
    }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    var reset = sigset_t()
    sigemptyset(&reset)
    sigaddset(&reset, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &reset)
    var flags = Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)
    if ownGroup {
      posix_spawnattr_setpgroup(&attributes, 0)
      flags |= Int32(POSIX_SPAWN_SETPGROUP)
    }
    posix_spawnattr_setflags(&attributes, Int16(flags))

    var words = ([program] + plan.words).map { strdup($0) } + [nil]
    var environment = plan.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer {
      for pointer in words + environment { free(pointer) }
    }
    var pid = pid_t()
    let code = posix_spawn(&pid, program, &actions, &attributes, &words, &environment)
    guard code == 0 else { throw SystemError("posix_spawn of \(plan.name)", code: code) }
    return pid
  }

  enum Ending: Sendable, Hashable, CustomStringConvertible {
    case exit(Int32)
    case signal(Int32)

    var description: String {
      switch self {
      case .exit(let code): "ended with code \(code)"
      case .signal(let number): "was ended by signal \(number)"
      }
    }
  }

  /// How the process ended, nil while it runs.
  static func ending(of pid: Int32) -> Ending? {
    var status: Int32 = 0
    guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
    return status & 0x7f == 0 ? .exit(status >> 8 & 0xff) : .signal(status & 0x7f)
  }
}
