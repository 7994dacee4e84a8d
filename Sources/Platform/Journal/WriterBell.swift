internal import CLinux
internal import Chrono
internal import Glibc

/// The writer's thread, and what wakes it.
///
/// `@unchecked Sendable`: `thread` is written once, by `startThread`, before anybody else may call.
final class WriterBell: @unchecked Sendable {
  private let fd: Int32
  private var thread = pthread_t()

  private final class Body {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
  }

  init() {
    fd = eventfd(0, Int32(EFD_CLOEXEC))
    precondition(fd >= 0, "no file descriptor left for a journal: errno \(errno)")
  }

  deinit { close(fd) }

  func startThread(_ run: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(Body(run))
    let code = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, box.toOpaque())
    precondition(code == 0, "no thread for a journal: errno \(code)")
  }

  /// Nobody waits for its end.
  static func startDetachedThread(_ run: @escaping @Sendable () -> Void) {
    let bell = WriterBell()
    bell.startThread(run)
    pthread_detach(bell.thread)
  }

  func joinThread() { pthread_join(thread, nil) }

  func ring() {
    var one: UInt64 = 1
    _ = write(fd, &one, 8)
  }

  /// Until the bell has rung, also if it rang before, or the time is over.
  func wait(_ limit: Duration?) {
    if let limit {
      var watched = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
      let milliseconds = min(limit.wholeNanoseconds / 1_000_000 + 1, 60_000)
      guard poll(&watched, 1, Int32(milliseconds)) > 0 else { return }
    }
    // Blocks until it has rung.
    var count: UInt64 = 0
    _ = read(fd, &count, 8)
  }
}
