internal import Calls
private import Synchronization

/// A bounded queue of messages between one reader and its writers, each of which may be on any
/// thread.
///
/// A writer that finds more than `bytesMax` queued waits until the reader has taken half of it, so
/// a slow reader bounds the memory of a fast writer.
final class MessagePipe: Sendable {
  enum Taken {
    case message(CallMessage)
    case nothingYet
    case finished
    case failed(RPCError)
  }

  private enum End {
    case finished
    case failed(RPCError)
  }

  private typealias Reader = UnsafeContinuation<Result<CallMessage?, RPCError>, Never>
  private typealias Writer = UnsafeContinuation<Void, Never>

  private struct State {
    var messages: [CallMessage] = []
    var head = 0
    var bytes = 0
    var end: End?
    var reader: Reader?
    var writers: [Writer] = []

    mutating func pop() -> CallMessage? {
      guard head < messages.count else { return nil }
      let message = messages[head]
      messages[head].bytes = []
      head += 1
      bytes -= message.bytes.count + MessagePipe.overhead
      if head == messages.count {
        messages.removeAll(keepingCapacity: true)
        head = 0
      } else if head > 64 && head > messages.count / 2 {
        messages.removeFirst(head)
        head = 0
      }
      return message
    }

    mutating func clear() {
      messages = []
      head = 0
      bytes = 0
    }
  }

  private let state = Mutex(State())
  let bytesMax: Int

  /// Counted for each queued message, so that empty ones are bounded too.
  static let overhead = 32

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  var queuedBytes: Int { state.withLock { $0.bytes } }

  // MARK: Writing

  /// Queues a message, whatever is queued already. False when the pipe has ended.
  @discardableResult
  func offer(_ message: CallMessage) -> Bool {
    let (reader, taken) = state.withLock { state -> (Reader?, Bool) in
      guard state.end == nil else { return (nil, false) }
      if let reader = state.reader {
        state.reader = nil
        return (reader, true)
      }
      state.messages.append(message)
      state.bytes += message.bytes.count + Self.overhead
      return (nil, true)
    }
    reader?.resume(returning: .success(message))
    return taken
  }

  /// Queues a message, calls `queued`, and waits while too much is queued.
  func write(_ message: CallMessage, queued: () -> Void = {}) async throws(RPCError) {
    guard offer(message) else { throw failure }
    queued()
    guard state.withLock({ $0.end == nil && $0.bytes > bytesMax }) else { return }
    await withUnsafeContinuation { (writer: Writer) in
      let waits = state.withLock { state -> Bool in
        guard state.end == nil, state.bytes > bytesMax else { return false }
        state.writers.append(writer)
        return true
      }
      if !waits { writer.resume() }
    }
    if case .failed(let error) = state.withLock({ $0.end }) { throw error }
  }

  private var failure: RPCError {
    state.withLock { state in
      if case .failed(let error) = state.end { return error }
      return RPCError(.internalError, "a message was sent after the end")
    }
  }

  /// No more messages; those that are queued are still read.
  func finish() { end(.finished, keepingQueued: true) }

  /// What is queued is read before the error, or dropped.
  func fail(_ error: RPCError, keepingQueued: Bool) {
    end(.failed(error), keepingQueued: keepingQueued)
  }

  private func end(_ end: End, keepingQueued: Bool) {
    let (reader, writers) = state.withLock { state -> (Reader?, [Writer]) in
      switch state.end {
      case nil: break
      case .finished where !keepingQueued: break
      default: return (nil, [])
      }
      state.end = end
      if !keepingQueued { state.clear() }
      defer {
        state.reader = nil
        state.writers = []
      }
      return (state.reader, state.writers)
    }
    switch end {
    case .finished: reader?.resume(returning: .success(nil))
    case .failed(let error): reader?.resume(returning: .failure(error))
    }
    for writer in writers { writer.resume() }
  }

  // MARK: Reading

  /// The next message without waiting.
  func take() -> Taken {
    let (taken, writers) = state.withLock { state -> (Taken, [Writer]) in
      guard let message = state.pop() else {
        switch state.end {
        case nil: return (.nothingYet, [])
        case .finished: return (.finished, [])
        case .failed(let error): return (.failed(error), [])
        }
      }
      guard !state.writers.isEmpty, state.bytes <= bytesMax / 2 else {
        return (.message(message), [])
      }
      defer { state.writers = [] }
      return (.message(message), state.writers)
    }
    for writer in writers { writer.resume() }
    return taken
  }

  /// The next message; nil at the end. One reader at a time.
  func next() async throws(RPCError) -> CallMessage? {
    switch take() {
    case .message(let message): return message
    case .finished: return nil
    case .failed(let error): throw error
    case .nothingYet: break
    }
    let result = await withUnsafeContinuation { (reader: Reader) in
      let ready = state.withLock { state -> Result<CallMessage?, RPCError>? in
        precondition(state.reader == nil, "a stream of messages has one reader at a time")
        if let message = state.pop() { return .success(message) }
        switch state.end {
        case .finished: return .success(nil)
        case .failed(let error): return .failure(error)
        case nil:
          state.reader = reader
          return nil
        }
      }
      if let ready { reader.resume(returning: ready) }
    }
    return try result.get()
  }
}
