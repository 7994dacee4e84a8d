internal import Calls
internal import Chrono
internal import Loop
internal import ServiceKit
internal import Telemetry

/// Streams of events to many readers, each through a bounded queue, losing nothing.
///
/// A full queue holds the publisher back, and with it the venue's socket, until `slowWait` has passed
/// since its reader last took something; then the reader is ended. So a reader that is slow is waited
/// for, and one that stands still costs its queue and holds nobody up once it has stood still so long.
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
    var tookAt: Uptime
    var reader: CheckedContinuation<Void, Never>?
    var publisher: CheckedContinuation<Void, Never>?
    var end: RPCError?
  }

  /// Events handed to a reader at once: whoever takes is seen to live before all of a long queue is
  /// on its way.
  private static var takenMax: Int { 256 }

  init(_ config: Config, _ loop: EventLoop, ended: Counter) {
    self.init(
      queueMax: config.readerQueueMax, readersMax: config.readersMax,
      slowWait: config.slowReaderWait, loop, ended: ended)
  }

  init(queueMax: Int, readersMax: Int, slowWait: Duration, _ loop: EventLoop, ended: Counter) {
    self.queueMax = queueMax
    self.readersMax = readersMax
    self.slowWait = slowWait
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
    readers[last] = Reader(wants: wants, queue: first, tookAt: loop.uptime)
    return last
  }

  func remove(_ id: Int) {
    guard let reader = readers.removeValue(forKey: id) else { return }
    reader.reader?.resume()
    reader.publisher?.resume()
  }

  /// What waits for a reader, in order, up to a limit; empty when it was cancelled. Throws when the
  /// reader was ended.
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
    let events = Array(reader.queue.prefix(Self.takenMax))
    reader.queue.removeFirst(events.count)
    reader.tookAt = loop.uptime
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
      if reader.queue.count >= queueMax {
        let left = slowWait - (loop.uptime - reader.tookAt)
        if left > .zero { await waitForSpace(id, left) } else { endSlow(id) }
      }
      guard readers[id]?.end == nil else { continue }
      readers[id]?.queue.append(event)
      wake(id)
    }
  }

  var ids: [Int] { Array(readers.keys) }

  private func waitForSpace(_ id: Int, _ wait: Duration) async {
    let timer = loop.spawn { [loop] in
      await loop.sleep(for: wait)
      if !Task.isCancelled { await self.waitIsOver(id) }
    }
    await withCheckedContinuation { readers[id]?.publisher = $0 }
    timer.cancel()
  }

  private func waitIsOver(_ id: Int) {
    guard let publisher = readers[id]?.publisher else { return }
    readers[id]?.publisher = nil
    endSlow(id)
    publisher.resume()
  }

  private func endSlow(_ id: Int) {
    readers[id]?.queue = []
    readers[id]?.end = RPCError(
      .resourceExhausted,
      "the reader took nothing for \(slowWait) and was \(queueMax) events behind "
        + "(reader_queue_max, slow_reader_wait)")
    ended.increment()
    wake(id)
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
