package import Chrono
internal import Glibc
internal import Recording

package struct RecordingFileError: Error, Sendable, Hashable, CustomStringConvertible {
  package let description: String
}

/// Writes everything that public streams and their REST say into a file, as it comes.
///
/// The file can be read while it grows, up to the last `flush`, and after a crash up to there.
///
/// `@unchecked Sendable`: used on the loop of its streams only.
package final class FrameRecorder: @unchecked Sendable {
  private var writer: RecordingWriter?
  private var packed: [UInt8] = []
  private var file: Int32 = -1
  private let path: String
  private var connections = 0
  package private(set) var frames = 0
  package private(set) var bytes = 0
  /// Bytes in the file.
  package private(set) var packedBytes = 0
  /// The first failure to write; nothing is written after it.
  package private(set) var failure: RecordingFileError?

  private static let writeSize = 64 << 10

  /// Nothing is written before `begin`.
  package init(_ path: String) { self.path = path }

  /// Makes the file; one that is there already is not touched.
  package func begin(
    venue: String, symbols: [String], at now: Instant
  ) throws(RecordingFileError) {
    file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard file >= 0 else {
      throw RecordingFileError(description: "\(path): \(String(cString: strerror(errno)))")
    }
    writer = RecordingWriter(
      RecordingHeader(venue: venue, symbols: symbols, begun: now), into: &packed)
  }

  deinit {
    if file >= 0 { close(file) }
  }

  /// A number for a new connection.
  func nextConnection() -> Int {
    defer { connections += 1 }
    return connections
  }

  func record(_ kind: RecordedFrame.Kind, _ frame: [UInt8], connection: Int, at time: Instant) {
    guard failure == nil, writer != nil else { return }
    frames += 1
    bytes += frame.count
    writer?.append(
      RecordedFrame(time: time, connection: connection, kind: kind, bytes: frame), into: &packed)
    if packed.count >= Self.writeSize { write() }
  }

  package func flush() {
    writer?.flush(into: &packed)
    write()
  }

  /// Ends the recording; nothing more is taken.
  package func finish() {
    writer?.finish(into: &packed)
    writer = nil
    write()
  }

  private func write() {
    var sent = 0
    while sent < packed.count, failure == nil {
      let count = packed.withUnsafeBytes {
        Glibc.write(file, $0.baseAddress! + sent, $0.count - sent)
      }
      if count >= 0 {
        sent += count
      } else if errno != EINTR {
        failure = RecordingFileError(description: "\(path): \(String(cString: strerror(errno)))")
      }
    }
    packedBytes += sent
    packed.removeAll(keepingCapacity: true)
  }
}
