internal import CLinux
internal import Glibc
internal import Loop

/// Tells when a name comes into a folder or leaves it, at once: inotify in the loop.
///
/// Loop-confined. Where the kernel has no watch to give it is nil, and whoever wanted one looks by the
/// clock.
final class FolderWatch: Pollable {
  private let loop: EventLoop
  private let descriptor: Int32
  private var registration: Registration?
  private let changed: () -> Void

  init?(_ path: String, _ loop: EventLoop, changed: @escaping () -> Void) {
    descriptor = clinux_watch_folder(path)
    guard descriptor >= 0 else { return nil }
    self.loop = loop
    self.changed = changed
    do {
      registration = try loop.register(descriptor, .readable, self)
    } catch {
      close(descriptor)
      return nil
    }
  }

  func ready(_ readiness: Readiness) {
    var events = InlineArray<4096, UInt8>(repeating: 0)
    // What has changed is looked at by whoever is told, not here.
    while withUnsafeMutableBytes(of: &events, { read(descriptor, $0.baseAddress, $0.count) }) > 0 {}
    changed()
  }

  func stop() {
    guard let registration else { return }
    loop.unregister(registration)
    self.registration = nil
    close(descriptor)
  }
}
