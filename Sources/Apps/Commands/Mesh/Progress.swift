internal import Chrono
internal import Glibc

/// Lines with seconds since the start, to our output and to the terminal that waits for a detached
/// mesh. Confined to one thread.
final class Progress {
  /// Ends a report that ended well; without it the waiting terminal knows of a failure.
  static let good: UInt8 = 4

  private let began: Uptime
  private var report: Int32?

  init(began: Uptime, report: Int32?) {
    self.began = began
    self.report = report
  }

  func say(_ line: String, at now: Uptime) {
    let tenths = (now - began).wholeNanoseconds / 100_000_000
    let text = "\(tenths / 10).\(tenths % 10)"
    let padding = String(repeating: " ", count: max(0, 6 - text.count))
    write("\(padding)\(text) s  \(line)\n")
  }

  func write(_ text: String) {
    Terminal.write(text, to: 1)
    if let report { Terminal.write(text, to: report) }
  }

  func endReport(isGood: Bool) {
    guard let report else { return }
    if isGood { Terminal.write(String(UnicodeScalar(Self.good)), to: report) }
    close(report)
    self.report = nil
  }
}
