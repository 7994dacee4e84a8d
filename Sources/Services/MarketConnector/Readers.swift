internal import Calls
internal import Chrono
internal import Loop
internal import ServiceKit
internal import Telemetry

/// Streams of events to many readers, each through a bounded queue, losing nothing.
///
/// A full queue holds the publisher back, and with it the venue's socket; a reader that stays full for
/// too long is ended, so that one sleeper does not stop the others for good.
actor Readers<Event: Sendable> {
  private let queueMax: Int
  private let readersMax: Int
  private let slowWait: Duration
  private let loop: EventLoop
  private let ended: Counter
  private var readers: [Int: Reader] = [:]
  private var last = 0

  private struct Reader {
    let wants: @Sendable (Event) -> Bool
    var queue: [Event] = []
    var reader: CheckedContinuation<Void, Never>?
    var publisher: CheckedContinuation<Void, Never>?
    var end: RPCError?
  }

  init(_ config: Config, _ loop: EventLoop, ended: Counter) {
    self.queueMax = config.readerQueueMax
    self.readersMax = config.readersMax
    self.slowWait = config.slowReaderWait
    self.loop = loop
    self.ended = ended
  }

  /// A new reader that has `first` in its queue.
  func add(
    first: [Event], wants: @escaping @Sendable (Event) -> Bool
  ) throws(RPCError) -> Int {
    guard readers.count < readersMax else {
      throw RPCError(.resourceExhausted, "\(readersMax) streams are open (readers_max)")
    }
    last += 1
    readers[last] = Reader(wants: wants, queue: first)
    return last
  }

  func remove(_ id: Int) {
    guard let reader = readers.removeValue(forKey: id) else { return }
    reader.reader?.resume()
    reader.publisher?.resume()
  }

  /// What waits for a reader, in order; empty when it was cancelled. Throws when the reader was ended.
  func next(_ id: Int) async throws -> [Event] {
    if readers[id]?.queue.isEmpty == true, readers[id]?.end == nil, !Task.isCancelled {
      await withTaskCancellationHandler {
        await withCheckedContinuation { readers[id]?.reader = $0 }
      } onCancel: {
        loop.spawn { await self.wake(id) }
      }
    }
    guard var reader = readers[id] else { throw RPCError(.unavailable, "the stream was closed") }
    if reader.queue.isEmpty, let end = reader.end { throw end }
    let events = reader.queue
    reader.queue = []
    let publisher = reader.publisher
    reader.publisher = nil
    readers[id] = reader
    publisher?.resume()
    return events
  }

  private func wake(_ id: Int) {
    readers[id]?.reader?.resume()
    readers[id]?.reader = nil
  }

  /// Gives an event to every reader that was there when it came about (`ids`).
  func publish(_ event: Event, to ids: [Int]) async {
    for id in ids {
      guard let reader = readers[id], reader.end == nil, reader.wants(event) else { continue }
      if reader.queue.count >= queueMax { await waitForSpace(id) }
      guard readers[id]?.end == nil else { continue }
      readers[id]?.queue.append(event)
      wake(id)
    }
  }

  var ids: [Int] { Array(readers.keys) }

  private func waitForSpace(_ id: Int) async {
    let timer = loop.spawn { [slowWait, loop] in
      await loop.sleep(for: slowWait)
      if !Task.isCancelled { await self.endSlow(id) }
    }
    await withCheckedContinuation { readers[id]?.publisher = $0 }
    timer.cancel()
  }

  private func endSlow(_ id: Int) {
    guard let publisher = readers[id]?.publisher else { return }
    readers[id]?.publisher = nil
    readers[id]?.queue = []
    readers[id]?.end = RPCError(
      .resourceExhausted,
      "the reader was \(queueMax) events behind for \(slowWait) (reader_queue_max, slow_reader_wait)"
    )
    ended.increment()
    wake(id)
    publisher.resume()
  }

  /// Ends every stream.
  func close(_ reason: RPCError) {
    for id in Array(readers.keys) {
      readers[id]?.end = reason
      wake(id)
      readers[id]?.publisher?.resume()
      readers[id]?.publisher = nil
    }
  }
}
