internal import Bytes
internal import Chrono
internal import JSON

/// Writes our recording format: Zstandard over lines of text.
///
/// The first line is `{"recording":"shrivenquant","version":1,"venue":...,"symbols":[...],
/// "begun":"<nanoseconds>"}`. Every other line is `<nanoseconds> <connection> <mark> <bytes>`, the
/// bytes exactly as they were. Marks: `+` opened, `-` closed, `>` sent, `<` received, `=` answered
/// (here the bytes follow the request's target and a space). A mark with `@` behind it says that what
/// follows is base64, for bytes that hold a line break.
package struct RecordingWriter: ~Copyable {
  package static let version = 1
  private var deflater: ZstdDeflater
  private var line: [UInt8] = []
  /// Frames taken, and their bytes before packing.
  package private(set) var frames = 0
  package private(set) var bytes = 0

  /// Packed bytes are appended to `output` by each call, often none.
  package init(_ header: RecordingHeader, level: Int32 = 3, into output: inout [UInt8]) {
    deflater = ZstdDeflater(level: level)
    var json = JSONWriter()
    json.object { json in
      json.member("recording", "shrivenquant")
      json.member("version", Self.version)
      json.member("venue", header.venue)
      json.name("symbols")
      json.array { json in for symbol in header.symbols { json.string(symbol) } }
      json.member("begun", String(header.begun.nanoseconds))
    }
    deflater.deflate(json.finished() + [UInt8(ascii: "\n")], into: &output)
  }

  package mutating func append(_ frame: RecordedFrame, into output: inout [UInt8]) {
    frames += 1
    bytes += frame.bytes.count
    line.removeAll(keepingCapacity: true)
    line += "\(frame.time.nanoseconds) \(frame.connection) ".utf8
    let isPlain = !frame.bytes.contains(UInt8(ascii: "\n"))
    switch frame.kind {
    case .opened: line.append(UInt8(ascii: "+"))
    case .closed: line.append(UInt8(ascii: "-"))
    case .sent: line.append(UInt8(ascii: ">"))
    case .received: line.append(UInt8(ascii: "<"))
    case .answered: line.append(UInt8(ascii: "="))
    }
    if !isPlain { line.append(UInt8(ascii: "@")) }
    line.append(UInt8(ascii: " "))
    if case .answered(let target) = frame.kind {
      precondition(!target.utf8.contains { $0 <= 0x20 }, "a target with a space: \(target)")
      line += target.utf8
      line.append(UInt8(ascii: " "))
    }
    if isPlain { line += frame.bytes } else { line += Base64.standard.encode(frame.bytes).utf8 }
    line.append(UInt8(ascii: "\n"))
    deflater.deflate(line, into: &output)
  }

  /// All that was taken so far can be read from what has been appended, also after a crash.
  package mutating func flush(into output: inout [UInt8]) { deflater.flush(into: &output) }

  package mutating func finish(into output: inout [UInt8]) { deflater.finish(into: &output) }
}
