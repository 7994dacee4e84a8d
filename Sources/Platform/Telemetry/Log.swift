private import Chrono

/// Writes structured lines for one service: `ts`, `level`, `service`, `msg`, the trace when there is
/// one, then the fields.
///
/// A value: `log.with(trace:)` and `log.with(_:)` give a log that adds to every line.
package struct Log: Sendable {
  package let sink: LogSink
  package let service: String
  private var trace: TraceContext?
  private var common: [(String, LogValue)] = []

  package init(_ sink: LogSink, service: String) {
    self.sink = sink
    self.service = service
  }

  /// Drops everything; for tests and tools.
  package static let silent = Log(LogSink(.function { _ in }, level: .critical), service: "")

  package func with(trace: TraceContext?) -> Log {
    var log = self
    log.trace = trace
    return log
  }

  package func with(_ fields: LogFields) -> Log {
    var log = self
    log.common += fields.map { ($0.key, $0.value) }
    return log
  }

  package func isEnabled(_ level: LogLevel) -> Bool { sink.isEnabled(level) }

  /// `message` and `fields` are built only when the level is on.
  package func log(
    _ level: LogLevel, _ message: @autoclosure () -> String,
    _ fields: @autoclosure () -> LogFields = [:]
  ) {
    guard sink.isEnabled(level) else { return }
    var line = LogLine()
    line.add("ts", .text(sink.time.now.rfc3339))
    line.add("level", .text(level.name))
    line.add("service", .text(service))
    line.add("msg", .text(message()))
    if let trace {
      line.add("trace_id", .text(trace.traceID))
      line.add("span_id", .text(trace.spanID))
    }
    for (name, value) in common { line.add(name, value) }
    for (name, value) in fields() { line.add(name, value) }
    sink.write(line)
  }

  package func trace(
    _ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]
  ) { log(.trace, message(), fields()) }

  package func debug(
    _ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]
  ) { log(.debug, message(), fields()) }

  package func info(
    _ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]
  ) { log(.info, message(), fields()) }

  package func warning(
    _ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]
  ) { log(.warning, message(), fields()) }

  package func error(
    _ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]
  ) { log(.error, message(), fields()) }

  package func critical(
    _ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]
  ) { log(.critical, message(), fields()) }
}
