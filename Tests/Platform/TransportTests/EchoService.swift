import Calls
import Chrono
import Synchronization
import Transport

/// A service of raw bytes with every shape and every way to fail, and counters of what it saw.
final class EchoService: Sendable {
  struct Seen {
    var cancelled = 0
    var sent = 0
    var identity: Identity?
    var traceID = ""
    var remaining: Duration?
    var downstream: CallOptions?
  }

  let seen = Mutex(Seen())
  /// What a call on behalf of the last unary one would carry.
  var downstream: CallOptions? { seen.withLock { $0.downstream } }

  static func method(
    _ name: String, _ shape: CallShape, isIdempotent: Bool = false
  ) -> MethodDescriptor {
    MethodDescriptor(
      service: "test.Echo", name: name, shape: shape, scope: .mesh, isIdempotent: isIdempotent,
      request: "test.Bytes", response: "test.Bytes")
  }

  static let unary = method("Unary", .unary, isIdempotent: true)
  static let fail = method("Fail", .unary)
  static let slow = method("Slow", .unary)
  /// As many messages of 100 bytes as the request says.
  static let `repeat` = method("Repeat", .serverStreaming)
  static let join = method("Join", .clientStreaming)
  static let chat = method("Chat", .bidirectionalStreaming)
  /// Answers nothing and waits for the end of the call.
  static let silence = method("Silence", .bidirectionalStreaming)
  /// Answers each request with 1 when it came compressed, else with 0, in the same way.
  static let packing = method("Packing", .bidirectionalStreaming)
  static let broken = method("Broken", .unary)

  static let failure = RPCError(
    .failedPrecondition, "nö: 100%\n",
    details: [
      .badRequest([FieldViolation(field: "price", problem: "is no multiple of 0.01")]),
      .errorInfo(reason: "PRICE_TICK", domain: "risk.shrivenquant", metadata: ["tick": "0.01"]),
      .retryInfo(delay: .milliseconds(1_500)),
    ])

  /// As long as a caller's own text may be, in a script whose bytes are all escaped.
  static let wordy = method("Wordy", .unary)
  static let wordyFailure = RPCError(
    .invalidArgument, String(repeating: "é\u{301}", count: 100_000),
    details: [
      .badRequest([
        FieldViolation(field: "symbol", problem: String(repeating: "x", count: 100_000))
      ])
    ])

  struct Accident: Error {}

  var methods: [ServerMethod] {
    [
      ServerMethod(Self.wordy, .unary { _, _ in throw Self.wordyFailure }),
      ServerMethod(
        Self.unary,
        .unary { request, context in
          self.seen.withLock { seen in
            seen.identity = context.identity
            seen.traceID = context.traceID
            seen.downstream = context.downstream
            seen.remaining = context.deadline.map { $0 - SystemTime().uptime }
          }
          var metadata = Metadata()
          if let text = context.metadata.text("x-text") { metadata.add("x-text", text) }
          if let bytes = context.metadata.bytes("x-bin") {
            metadata.add("x-bin", bytes: bytes)
            context.trailingMetadata.add("x-trailer-bin", bytes: bytes)
          }
          context.initialMetadata = metadata
          context.trailingMetadata.add("x-trailer", "t")
          return request
        }),
      ServerMethod(Self.fail, .unary { _, _ in throw Self.failure }),
      ServerMethod(Self.broken, .unary { _, _ in throw Accident() }),
      ServerMethod(
        Self.slow,
        .unary { _, _ in
          await self.untilCancelled()
          return []
        }),
      ServerMethod(
        Self.repeat,
        .streaming { requests, responses, _ in
          let request = try await requests.next() ?? []
          let count = Int(String(decoding: request, as: UTF8.self)) ?? 0
          for _ in 0..<count {
            do {
              try await responses.send([UInt8](repeating: 7, count: 100))
            } catch {
              self.seen.withLock { $0.cancelled += 1 }
              throw error
            }
            self.seen.withLock { $0.sent += 1 }
          }
        }),
      ServerMethod(
        Self.join,
        .streaming { requests, responses, _ in
          var all: [UInt8] = []
          while let next = try await requests.next() { all += next }
          try await responses.send(all)
        }),
      ServerMethod(
        Self.chat,
        .streaming { requests, responses, _ in
          while let next = try await requests.next() { try await responses.send(next) }
        }),
      ServerMethod(
        Self.packing,
        .streaming { requests, responses, context in
          context.responseEncoding = .gzip
          while try await requests.next() != nil {
            if context.requestWasCompressed {
              try await responses.send([1])
            } else {
              try await responses.sendUncompressed([0])
            }
          }
        }),
      ServerMethod(
        Self.silence, .streaming { _, _, _ in await self.untilCancelled() }),
    ]
  }

  private func untilCancelled() async {
    let gate = Gate()
    await withTaskCancellationHandler {
      await gate.wait()
    } onCancel: {
      gate.open()
    }
    seen.withLock { $0.cancelled += 1 }
  }
}

/// Opens once.
final class Gate: Sendable {
  private let state = Mutex((isOpen: false, waiters: [CheckedContinuation<Void, Never>]()))

  func open() {
    let waiters = state.withLock { state in
      state.isOpen = true
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  func wait() async {
    await withCheckedContinuation { continuation in
      let isOpen = state.withLock { state in
        if !state.isOpen { state.waiters.append(continuation) }
        return state.isOpen
      }
      if isOpen { continuation.resume() }
    }
  }
}

/// Counts what a server tells its observer.
final class CountingObserver: ServerObserver {
  struct Counts {
    var started = 0
    var finished: [StatusCode: Int] = [:]
    var cancelled = 0
    var refused = 0
    var failed = 0
    var connectionsClosed = 0
    var defended: [TransportLimit: Int] = [:]
  }

  let counts = Mutex(Counts())

  func callStarted(_ method: MethodDescriptor) { counts.withLock { $0.started += 1 } }

  func callFinished(
    _ method: MethodDescriptor, _ code: StatusCode, latency: Duration, isCancelled: Bool
  ) {
    counts.withLock { counts in
      counts.finished[code, default: 0] += 1
      if isCancelled { counts.cancelled += 1 }
    }
  }

  func callRefused(_ method: MethodDescriptor?, path: String, _ code: StatusCode) {
    counts.withLock { $0.refused += 1 }
  }

  func defended(_ limit: TransportLimit) {
    counts.withLock { $0.defended[limit, default: 0] += 1 }
  }

  /// How often a peer ran into this limit.
  func defended(_ limit: TransportLimit) -> Int {
    counts.withLock { $0.defended[limit, default: 0] }
  }

  func connectionClosed() { counts.withLock { $0.connectionsClosed += 1 } }

  func handlerFailed(_ context: ServerContext, _ error: any Error) {
    counts.withLock { $0.failed += 1 }
  }
}
