package import Chrono
internal import Glibc
private import Synchronization

/// Where log lines go: one JSON object per line, by `write(2)`, so that a crash loses nothing that
/// was logged before it.
///
/// A reader of a pipe that stops reading must not stop the program: when the descriptor is not
/// writable within 10 ms the line is dropped and counted, and the next line that gets through says so.
package final class LogSink: Sendable {
  package enum Target: Sendable {
    /// The sink never closes it.
    case descriptor(Int32)
    /// For tests: called with each whole line, newline included.
    case function(@Sendable ([UInt8]) -> Void)
  }

  package let time: any TimeSource
  private let target: Target
  private let threshold: Atomic<UInt8>
  private let state = Mutex(State())

  private struct State {
    var dropped: UInt64 = 0
    var droppedInAll: UInt64 = 0
    /// A long line was cut off after its first pieces: the next one starts on a line of its own.
    var isInsideLine = false
  }

  private static let writableWaitMilliseconds: Int32 = 10
  // A write of at most PIPE_BUF bytes to a pipe that poll calls writable does not block (pipe(7)).
  private static let pieceMax = 4096

  package init(_ target: Target, level: LogLevel, time: any TimeSource = SystemTime()) {
    self.target = target
    self.time = time
    self.threshold = Atomic(level.rawValue)
  }

  /// May change while other threads log.
  package var level: LogLevel {
    get { LogLevel(rawValue: threshold.load(ordering: .relaxed)) ?? .info }
    set { threshold.store(newValue.rawValue, ordering: .relaxed) }
  }

  /// Lines that were dropped since the start.
  package var droppedLines: UInt64 { state.withLock { $0.droppedInAll } }

  func isEnabled(_ level: LogLevel) -> Bool {
    level.rawValue >= threshold.load(ordering: .relaxed)
  }

  /// `line` builds the JSON without its end; the sink may add how many lines were lost before it.
  func write(_ line: LogLine) {
    var line = line
    state.withLock { state in
      if state.dropped > 0 { line.add("dropped_lines", .integer(Int64(state.dropped))) }
      let bytes = (state.isInsideLine ? [UInt8(ascii: "\n")] : []) + line.finished()
      let written = put(bytes)
      if written == bytes.count {
        state.dropped = 0
        state.isInsideLine = false
      } else {
        state.dropped += 1
        state.droppedInAll += 1
        state.isInsideLine = state.isInsideLine || written > 0
      }
    }
  }

  private func put(_ bytes: [UInt8]) -> Int {
    switch target {
    case .function(let body):
      body(bytes)
      return bytes.count
    case .descriptor(let fd):
      return bytes.withUnsafeBytes { Self.write($0, to: fd) }
    }
  }

  /// How many bytes the descriptor took.
  private static func write(_ bytes: UnsafeRawBufferPointer, to fd: Int32) -> Int {
    var done = 0
    while done < bytes.count, isWritable(fd) {
      let piece = min(bytes.count - done, pieceMax)
      let count = Glibc.write(fd, bytes.baseAddress! + done, piece)
      if count > 0 {
        done += count
      } else if errno != EINTR, errno != EAGAIN {
        break
      }
    }
    return done
  }

  private static func isWritable(_ fd: Int32) -> Bool {
    var wait = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
    return poll(&wait, 1, writableWaitMilliseconds) == 1 && wait.revents & Int16(POLLOUT) != 0
  }
}
