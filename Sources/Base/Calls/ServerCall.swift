package import Chrono
private import Synchronization
package import Wire

/// What a handler knows of the call it serves.
package final class ServerContext: Sendable {
  package let method: MethodDescriptor
  package let metadata: Metadata
  /// When the caller gives up; nil when the caller set none.
  package let deadline: Uptime?
  /// Where this call is in its trace.
  package let trace: TraceHop
  /// The caller reads gzip.
  package let acceptsGzip: Bool
  private let state: Mutex<State>
  private let packing = Atomic<UInt8>(0)

  private struct State {
    var identity: Identity
    var initialMetadata = Metadata()
    var trailingMetadata = Metadata()
  }

  package init(
    method: MethodDescriptor, metadata: Metadata, deadline: Uptime?, identity: Identity,
    trace: TraceHop, acceptsGzip: Bool = false
  ) {
    self.method = method
    self.metadata = metadata
    self.deadline = deadline
    self.trace = trace
    self.acceptsGzip = acceptsGzip
    self.state = Mutex(State(identity: identity))
  }

  /// W3C trace id, 32 hexadecimal digits.
  package var traceID: String { trace.traceID }
  /// This hop's span id, 16 hexadecimal digits.
  package var spanID: String { trace.spanID }

  package var identity: Identity {
    get { state.withLock { $0.identity } }
    set { state.withLock { $0.identity = newValue } }
  }

  /// Sent with the first response message; later additions are lost.
  package var initialMetadata: Metadata {
    get { state.withLock { $0.initialMetadata } }
    set { state.withLock { $0.initialMetadata = newValue } }
  }

  package var trailingMetadata: Metadata {
    get { state.withLock { $0.trailingMetadata } }
    set { state.withLock { $0.trailingMetadata = newValue } }
  }

  /// What the handler wants sent around its answer; nil when that is nothing.
  package var responseMetadata: (initial: Metadata, trailing: Metadata)? {
    state.withLock { state in
      if state.initialMetadata.isEmpty, state.trailingMetadata.isEmpty { return nil }
      return (state.initialMetadata, state.trailingMetadata)
    }
  }

  /// What a call made on behalf of this one should carry: its deadline, trace and user token.
  package var downstream: CallOptions {
    var options = CallOptions(deadline: deadline, traceParent: trace.traceParent)
    // What vendors keep in a trace is passed on as it came, with the trace that it belongs to only.
    if trace.isContinued {
      for entry in metadata.entries where entry.key == "tracestate" {
        if case .text(let state) = entry.value { options.metadata.add("tracestate", state) }
      }
    }
    if let token = metadata.text("authorization") { options.metadata.add("authorization", token) }
    return options
  }
}

extension ServerContext {
  private enum Packing {
    static let gzip: UInt8 = 1
    static let isSettled: UInt8 = 2
    static let requestWasCompressed: UInt8 = 4
  }

  /// How responses are packed; identity unless the handler asks otherwise before its first response.
  /// What the caller cannot read, or comes later than that, changes nothing.
  package var responseEncoding: MessageEncoding {
    get { packing.load(ordering: .relaxed) & Packing.gzip == 0 ? .identity : .gzip }
    set {
      let isGzip = newValue == .gzip && acceptsGzip
      var seen = packing.load(ordering: .relaxed)
      while seen & Packing.isSettled == 0 {
        let wanted = isGzip ? seen | Packing.gzip : seen & ~Packing.gzip
        let (done, now) = packing.weakCompareExchange(
          expected: seen, desired: wanted, ordering: .relaxed)
        if done { return }
        seen = now
      }
    }
  }

  /// The encoding of the responses, which can no longer change: their head is about to be sent.
  package func settleResponseEncoding() -> MessageEncoding {
    if packing.load(ordering: .relaxed) & Packing.isSettled == 0 {
      packing.bitwiseOr(Packing.isSettled, ordering: .relaxed)
    }
    return responseEncoding
  }

  /// The request that was read last came compressed.
  package var requestWasCompressed: Bool {
    packing.load(ordering: .relaxed) & Packing.requestWasCompressed != 0
  }

  /// For the transport: how the request that is about to be read came.
  package func tookRequest(isCompressed: Bool) {
    guard isCompressed != requestWasCompressed else { return }
    packing.bitwiseXor(Packing.requestWasCompressed, ordering: .relaxed)
  }
}

/// Messages from the peer, as bytes. `next` is nil at the end and throws when the call is dead.
package protocol MessageSource: Sendable {
  func next() async throws(RPCError) -> [UInt8]?
}

/// Messages to the peer, as bytes. `send` waits while the peer's window and our buffer are full.
///
/// A message is packed in the call's encoding, except an empty one, which could only grow, and those
/// that `sendUncompressed` is asked to leave alone.
package protocol MessageSink: Sendable {
  func send(_ message: [UInt8]) async throws(RPCError)
  func sendUncompressed(_ message: [UInt8]) async throws(RPCError)
}

/// A method and the code that serves it, on bytes. Generated code makes these from typed handlers.
package struct ServerMethod: Sendable {
  package enum Handler: Sendable {
    case unary(@Sendable ([UInt8], ServerContext) async throws -> [UInt8])
    case streaming(
      @Sendable (any MessageSource, any MessageSink, ServerContext) async throws -> Void)
  }

  package let descriptor: MethodDescriptor
  package let handler: Handler

  package init(_ descriptor: MethodDescriptor, _ handler: Handler) {
    self.descriptor = descriptor
    self.handler = handler
  }
}

/// Typed messages from the peer.
package struct Incoming<M: Message>: Sendable {
  private let source: any MessageSource
  private let decode: @Sendable ([UInt8]) throws(RPCError) -> M

  package init(
    _ source: any MessageSource, _ decode: @escaping @Sendable ([UInt8]) throws(RPCError) -> M
  ) {
    self.source = source
    self.decode = decode
  }

  package func next() async throws(RPCError) -> M? {
    guard let bytes = try await source.next() else { return nil }
    return try decode(bytes)
  }
}

/// Typed messages to the peer.
package struct Outgoing<M: Message>: Sendable {
  private let sink: any MessageSink

  package init(_ sink: any MessageSink) { self.sink = sink }

  package func send(_ message: M) async throws(RPCError) {
    try await sink.send(message.encoded())
  }

  /// The bytes of a message that the sender has not read.
  package func send(encoded message: [UInt8]) async throws(RPCError) {
    try await sink.send(message)
  }

  /// As it is, whatever the call's encoding.
  package func sendUncompressed(_ message: M) async throws(RPCError) {
    try await sink.sendUncompressed(message.encoded())
  }
}

/// Decodes a message of a call; a malformed one is INTERNAL, as in other gRPC implementations.
package func decodeMessage<M: Message>(_ bytes: [UInt8]) throws(RPCError) -> M {
  do throws(WireError) {
    return try M(decoding: bytes)
  } catch {
    throw RPCError(.internalError, "malformed \(M.typeName): \(error)")
  }
}
