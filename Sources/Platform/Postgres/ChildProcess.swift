internal import CLinux
internal import Glibc

/// Runs a program to its end. Blocks.
enum ChildProcess {
  /// What it wrote goes to a file, not a pipe: a server that a program leaves behind would keep the
  /// pipe open, and reading it would never end.
  static func run(
    _ arguments: [String], outputFile: String
  ) throws(ClusterError) -> (status: Int32, output: String) {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, outputFile, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    // The server outlives us: a pipe of somebody else's that it inherited would never come to its end.
    _ = clinux_spawn_close_from(&actions, 3)

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // A service blocks the signals that it reads from a signalfd; its children must not inherit that.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

    var child = pid_t()
    let environment = ["LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
    let code = CStringList(arguments).withPointers { arguments in
      CStringList(environment).withPointers { environment in
        posix_spawnp(
          &child, arguments[0]!, &actions, &attributes, mutable(arguments), mutable(environment))
      }
    }
    guard code == 0 else {
      throw .system("\(arguments[0]) does not start: \(String(cString: strerror(code)))")
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 {
      guard errno == EINTR else { throw .system("waitpid: \(String(cString: strerror(errno)))") }
    }
    let exit = status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    return (exit, lastWords(of: outputFile))
  }

  /// posix_spawn takes `char *const []`, and does not write through it.
  private static func mutable(
    _ list: UnsafePointer<UnsafePointer<CChar>?>
  ) -> UnsafePointer<UnsafeMutablePointer<CChar>?> {
    UnsafeRawPointer(list).assumingMemoryBound(to: UnsafeMutablePointer<CChar>?.self)
  }

  /// At most the last 2,000 bytes.
  private static func lastWords(of file: String) -> String {
    let fd = clinux_open(file, O_RDONLY, 0)
    guard fd >= 0 else { return "" }
    defer { close(fd) }
    let size = lseek(fd, 0, SEEK_END)
    lseek(fd, max(0, size - 2000), SEEK_SET)
    var bytes = [UInt8](repeating: 0, count: 2000)
    let count = read(fd, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }
}
