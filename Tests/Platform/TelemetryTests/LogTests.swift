import Chrono
import Foundation
import Synchronization
import Telemetry
import Testing

private final class Lines: Sendable {
  private let stored = Mutex<[[UInt8]]>([])
  var all: [String] { stored.withLock { $0.map { String(decoding: $0, as: UTF8.self) } } }
  func add(_ line: [UInt8]) { stored.withLock { $0.append(line) } }
}

@Suite struct `Log lines` {
  private let lines = Lines()
  private let sink: LogSink
  private let log: Log

  init() {
    sink = LogSink(.function { [lines] in lines.add($0) }, level: .info, time: SimulatedTime())
    log = Log(sink, service: "oms")
  }

  @Test func `a line is one JSON object with time, level, service, message and fields`() throws {
    log.warning("late", ["order": "A-1", "lag_ms": 12, "ratio": 0.5, "again": true])

    #expect(
      lines.all == [
        #"{"ts":"2023-11-14T22:13:20.000000000Z","level":"warning","service":"oms","msg":"late","#
          + #""order":"A-1","lag_ms":12,"ratio":0.5,"again":true}"# + "\n"
      ])
  }

  @Test func `every string survives a JSON reader`() throws {
    let nasty = "quote \" slash \\ tab \t newline \n return \r nul \u{0} del \u{7f} é 😀 \u{2028}"

    log.error(nasty, [nasty: .text(nasty), "nan": .number(.nan), "big": LogValue(UInt64.max)])

    let line = try #require(lines.all.first)
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    #expect(object["msg"] as? String == nasty)
    #expect(object[nasty] as? String == nasty)
    #expect(object["nan"] as? String == "nan")
    #expect(object["big"] as? String == "18446744073709551615")
    #expect(line.filter { $0.isNewline && $0 != "\u{2028}" }.count == 1)
  }

  @Test func `OBS-08 the level changes at run time and hidden lines cost no evaluation`() {
    func costly() -> String {
      Issue.record("built although hidden")
      return ""
    }

    log.debug(costly())
    sink.level = .debug
    log.debug("seen")
    sink.level = .error
    log.warning(costly())

    #expect(lines.all.count == 1)
    #expect(LogLevel(name: "warning") == .warning)
    #expect(LogLevel(name: "WARN") == nil)
  }

  @Test func `a trace and common fields are on every line`() throws {
    let trace = try #require(
      TraceContext(traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))

    log.with(trace: trace).with(["account": "7"]).info("in")

    #expect(
      lines.all[0].contains(
        #""trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","account":"7""#
      ))
  }

  @Test func `a secret is never shown`() {
    let secret = Secret("hunter2")
    var dumped = ""
    dump(secret, to: &dumped)

    log.info("with \(secret)", ["key": "\(secret)", "again": LogValue(describing: [secret])])

    #expect(!lines.all[0].contains("hunter2"))
    #expect(lines.all[0].contains("<redacted>"))
    #expect(!dumped.contains("hunter2"))
    #expect(!String(reflecting: secret).contains("hunter2"))
    #expect(secret.withExposed { $0 } == "hunter2")
  }

  @Test func `a very long value is cut`() {
    log.info(String(repeating: "x", count: 1_000_000))

    #expect(lines.all[0].utf8.count < 4096)
  }

  @Test func `a pipe nobody reads drops lines instead of blocking, and says so later`() throws {
    let pipe = Pipe()
    let sink = LogSink(.descriptor(pipe.fileHandleForWriting.fileDescriptor), level: .info)
    let log = Log(sink, service: "oms")
    let text = String(repeating: "y", count: 2000)

    for _ in 0..<40 { log.info(text) }
    #expect(sink.droppedLines > 0)
    _ = pipe.fileHandleForReading.availableData
    log.info("after")

    try pipe.fileHandleForWriting.close()
    let rest = pipe.fileHandleForReading.readDataToEndOfFile()
    #expect(String(decoding: rest.suffix(60), as: UTF8.self).contains("\"dropped_lines\":"))
  }
}

@Suite struct `Trace context` {
  @Test func `a child keeps the trace and changes the span`() throws {
    var random = SystemRandomNumberGenerator()
    let root = TraceContext.root(using: &random, isSampled: true)
    let child = root.child(using: &random)

    #expect(child.traceID == root.traceID)
    #expect(child.span != root.span)
    #expect(TraceContext(traceparent: child.traceparent) == child)
  }

  @Test(arguments: [
    "", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
    "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
    "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
    "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
  ])
  func `OBS-07 a malformed traceparent is ignored`(text: String) {
    #expect(TraceContext(traceparent: text) == nil)
  }

  @Test func `a later version may carry more`() {
    #expect(
      TraceContext(traceparent: "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-x") != nil)
  }
}
