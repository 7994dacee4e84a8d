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
  private let state: Mutex<State>

  private struct State {
    var identity: Identity
    var initialMetadata = Metadata()
    var trailingMetadata = Metadata()
  }

  package init(
    method: MethodDescriptor, metadata: Metadata, deadline: Uptime?, identity: Identity,
    trace: TraceHop
  ) {
    self.method = method
    self.metadata = metadata
    self.deadline = deadline
    self.trace = trace
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

/// Messages from the peer, as bytes. `next` is nil at the end and throws when the call is dead.
package protocol MessageSource: Sendable {
  func next() async throws(RPCError) -> [UInt8]?
}

/// Messages to the peer, as bytes. `send` waits while the peer's window and our buffer are full.
package protocol MessageSink: Sendable {
  func send(_ message: [UInt8]) async throws(RPCError)
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

  package init(_ source: any MessageSource) { self.source = source }

  package func next() async throws(RPCError) -> M? {
    guard let bytes = try await source.next() else { return nil }
    return try decodeMessage(bytes)
  }
}

/// Typed messages to the peer.
package struct Outgoing<M: Message>: Sendable {
  private let sink: any MessageSink

  package init(_ sink: any MessageSink) { self.sink = sink }

  package func send(_ message: M) async throws(RPCError) {
    try await sink.send(message.encoded())
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
