/// How much a line matters; the sink drops what is below its level.
package enum LogLevel: UInt8, Sendable, Comparable, CaseIterable {
  case trace
  case debug
  case info
  case warning
  case error
  /// Somebody must act now: money, durability or safety is at stake.
  case critical

  package var name: String {
    switch self {
    case .trace: "trace"
    case .debug: "debug"
    case .info: "info"
    case .warning: "warning"
    case .error: "error"
    case .critical: "critical"
    }
  }

  package init?(name: some StringProtocol) {
    guard let level = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = level
  }

  package static func < (left: LogLevel, right: LogLevel) -> Bool {
    left.rawValue < right.rawValue
  }
}
