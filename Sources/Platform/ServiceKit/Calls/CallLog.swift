internal import Calls
internal import Chrono
internal import Telemetry
internal import Transport

/// A line per call: at debug when it went well, at warning when our side failed.
struct CallLog: ServerInterceptor {
  let log: Log
  let time: any TimeSource

  func intercept(_ context: ServerContext, _ next: () async throws -> Void) async throws {
    let began = time.uptime
    do {
      try await next()
      write(.debug, context, .ok, nil, since: began)
    } catch let error as RPCError {
      write(Self.level(of: error.code), context, error.code, error.message, since: began)
      throw error
    }
  }

  /// What callers do wrong is their business, unless somebody looks for it.
  private static func level(of code: StatusCode) -> LogLevel {
    switch code {
    case .internalError, .unknown, .dataLoss, .unavailable: .warning
    default: .debug
    }
  }

  private func write(
    _ level: LogLevel, _ context: ServerContext, _ code: StatusCode, _ message: String?,
    since began: Uptime
  ) {
    guard log.isEnabled(level) else { return }
    let identity = context.identity
    log.log(
      level, message ?? "call served",
      [
        "method": .text(context.method.path), "code": .text(code.name),
        "microseconds": LogValue((time.uptime - began).wholeNanoseconds / 1000),
        "trace_id": .text(context.traceID), "span_id": .text(context.spanID),
        "peer": .text(identity.service ?? ""), "user": .text(identity.user?.name ?? ""),
      ])
  }
}
