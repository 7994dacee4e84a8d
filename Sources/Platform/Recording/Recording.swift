internal import Bytes
internal import JSON

/// A recording of a venue's connections, read whole: ours, and the formats that others record in.
///
/// - ours, as `RecordingWriter` writes it;
/// - lines of `<nanoseconds or microseconds> <frame>` (hftbacktest; a bare REST snapshot among them is
///   an answer);
/// - cryptofeed's first format: `<seconds>: <frame>`, with addresses before what was opened, sent or
///   fetched;
/// - cryptofeed's second format: a JSON object a line;
/// - bare frames, one a line, with no time at all.
///
/// Any of them may be packed with gzip or Zstandard.
package struct Recording: Sendable {
  package let header: RecordingHeader?
  package let frames: [RecordedFrame]

  /// More unpacked bytes than this are refused; the largest known recording has 60 MB.
  package static let unpackedMax = 1 << 30

  package init(_ bytes: [UInt8], unpackedMax: Int = Recording.unpackedMax) throws(RecordingError) {
    let text = try Self.unpacked(bytes, unpackedMax)
    let lines = text.split(separator: UInt8(ascii: "\n"))
    var header: RecordingHeader?
    var frames: [RecordedFrame] = []
    frames.reserveCapacity(lines.count)
    var format: RecordingFormat?
    for (index, line) in lines.enumerated() {
      var line = line
      if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
      guard !line.isEmpty else { continue }
      do throws(RecordingProblem) {
        if format == nil {
          header = try RecordingFormat.header(line)
          format = RecordingFormat(header, line)
          if header != nil { continue }
        }
        if let frame = try format?.frame(line) { frames.append(frame) }
      } catch {
        throw RecordingError(line: index + 1, error.text)
      }
    }
    self.header = header
    self.frames = frames
  }

  /// The header of a recording of ours, from the file's beginning alone; nil for those of others.
  package static func header(of bytes: [UInt8]) throws(RecordingError) -> RecordingHeader? {
    guard bytes.starts(with: Zstd.magic) else { return nil }
    var text: [UInt8] = []
    var inflater = ZstdInflater(outputMax: unpackedMax)
    do throws(ZstdError) {
      // A block of Zstandard has 128 KiB at most.
      try inflater.inflate(Array(bytes.prefix(256 << 10)), into: &text)
    } catch {
      throw RecordingError(line: 0, "Zstandard: \(error)")
    }
    do throws(RecordingProblem) {
      return try RecordingFormat.header(text.prefix { $0 != UInt8(ascii: "\n") })
    } catch {
      throw RecordingError(line: 1, error.text)
    }
  }

  /// Several recordings of one stretch of time as one, in the order of time; what happened at once
  /// stays in the order of the arguments. Connections keep apart.
  package init(merging recordings: [Recording]) {
    var frames: [RecordedFrame] = []
    var connections = 0
    for recording in recordings {
      var most = 0
      for var frame in recording.frames {
        most = max(most, frame.connection + 1)
        frame.connection += connections
        frames.append(frame)
      }
      connections += most
    }
    // Swift's sort is stable.
    frames.sort { $0.time < $1.time }
    self.header = recordings.lazy.compactMap(\.header).first
    self.frames = frames
  }

  private static func unpacked(_ bytes: [UInt8], _ max: Int) throws(RecordingError) -> [UInt8] {
    if bytes.starts(with: Zstd.magic) {
      // One that is still being written, or whose writer died, is good up to its last flush.
      var output: [UInt8] = []
      var inflater = ZstdInflater(outputMax: max)
      do throws(ZstdError) {
        try inflater.inflate(bytes, into: &output)
        try inflater.finish()
      } catch {
        guard error == .truncated, let end = output.lastIndex(of: UInt8(ascii: "\n")) else {
          throw RecordingError(line: 0, "Zstandard: \(error)")
        }
        output.removeSubrange((end + 1)...)
      }
      return output
    }
    guard bytes.starts(with: [0x1f, 0x8b]) else { return bytes }
    do throws(GzipError) {
      return try Gzip.decompress(bytes, outputMax: max)
    } catch {
      throw RecordingError(line: 0, "gzip: \(error)")
    }
  }
}
