internal import Bytes
internal import Chrono
internal import JSON

struct RecordingProblem: Error {
  let text: String
  init(_ text: String) { self.text = text }
}

/// How a line of a recording is read; told by its first line.
enum RecordingFormat {
  case ours
  /// `<integer> <frame>`.
  case timedLines
  case cryptofeed
  case cryptofeedObjects(connections: [String: Int])
  case bare

  typealias Line = ArraySlice<UInt8>

  /// Our header, when the line is one.
  static func header(_ line: Line) throws(RecordingProblem) -> RecordingHeader? {
    guard line.starts(with: #"{"recording":"#.utf8) else { return nil }
    do throws(JSONError) {
      let json = try JSONDocument(parsing: Array(line)).root
      guard try json.string("recording") == "shrivenquant", try json.int64("version") == 1,
        let begun = Int64(try json.string("begun"))
      else { throw .unexpected("not version 1 of a shrivenquant recording") }
      return RecordingHeader(
        venue: try json.string("venue"), symbols: try json.array("symbols").compactMap(\.string),
        begun: Instant(nanoseconds: begun))
    } catch {
      throw RecordingProblem("the header: \(error)")
    }
  }

  init(_ header: RecordingHeader?, _ first: Line) {
    if header != nil {
      self = .ours
    } else if first.starts(with: #"{"t":"#.utf8) {
      self = .cryptofeedObjects(connections: [:])
    } else if first.first == UInt8(ascii: "{") || first.first == UInt8(ascii: "[") {
      self = .bare
    } else {
      let digits = first.prefix(while: Self.isDigit).count
      self = digits > 0 && first.dropFirst(digits).first == 0x20 ? .timedLines : .cryptofeed
    }
  }

  /// Nil for a line that tells nothing of a connection.
  mutating func frame(_ line: Line) throws(RecordingProblem) -> RecordedFrame? {
    switch self {
    case .ours: return try Self.ours(line)
    case .timedLines: return try Self.timed(line)
    case .cryptofeed: return try Self.cryptofeed(line)
    case .cryptofeedObjects(var connections):
      let frame = try Self.object(line, &connections)
      self = .cryptofeedObjects(connections: connections)
      return frame
    case .bare:
      return RecordedFrame(time: .epoch, connection: 0, kind: .received, bytes: Array(line))
    }
  }

  // MARK: Ours

  private static func ours(_ line: Line) throws(RecordingProblem) -> RecordedFrame {
    var rest = line
    guard let time = integer(word(&rest)), let connection = integer(word(&rest)) else {
      throw RecordingProblem("a time and a connection are expected")
    }
    let mark = word(&rest)
    var kind: RecordedFrame.Kind
    switch mark.first {
    case UInt8(ascii: "+"): kind = .opened
    case UInt8(ascii: "-"): kind = .closed
    case UInt8(ascii: ">"): kind = .sent
    case UInt8(ascii: "<"): kind = .received
    case UInt8(ascii: "="): kind = .answered(target: String(decoding: word(&rest), as: UTF8.self))
    default:
      throw RecordingProblem("the mark \(String(decoding: mark, as: UTF8.self)) is unknown")
    }
    var bytes = Array(rest)
    if mark.dropFirst().elementsEqual("@".utf8) {
      do throws(Base64Error) {
        bytes = try Base64.standard.decode(bytes)
      } catch {
        throw RecordingProblem("base64: \(error)")
      }
    } else if mark.count > 1 {
      throw RecordingProblem("the mark \(String(decoding: mark, as: UTF8.self)) is unknown")
    }
    return RecordedFrame(
      time: Instant(nanoseconds: time), connection: Int(connection), kind: kind, bytes: bytes)
  }

  /// Takes what stands before the first space, and the space.
  private static func word(_ rest: inout Line) -> Line {
    let word = rest.prefix { $0 != 0x20 }
    rest = rest.dropFirst(word.count + 1)
    return word
  }

  // MARK: Lines with a time

  /// Nanoseconds have 19 digits today, microseconds 16.
  private static func timed(_ line: Line) throws(RecordingProblem) -> RecordedFrame {
    var rest = line
    let digits = word(&rest)
    guard let time = integer(digits) else {
      throw RecordingProblem("a time is expected before the frame")
    }
    let bytes = Array(rest.drop { $0 == 0x20 })
    let isSnapshot = bytes.starts(with: #"{"lastUpdateId""#.utf8)
    return RecordedFrame(
      time: Instant(nanoseconds: digits.count <= 16 ? time * 1_000 : time), connection: 0,
      kind: isSnapshot ? .answered(target: "") : .received, bytes: bytes)
  }

  // MARK: cryptofeed

  /// The separator `: ` stands in JSON too, so a line is split once only.
  private static func cryptofeed(_ line: Line) throws(RecordingProblem) -> RecordedFrame? {
    if line.starts(with: "configuration: ".utf8) { return nil }
    guard line.starts(with: "wss://".utf8) || line.starts(with: "https://".utf8) else {
      let (time, bytes) = try split(line)
      return RecordedFrame(time: time, connection: 0, kind: .received, bytes: bytes)
    }
    var rest = line
    let address = String(decoding: word(&rest), as: UTF8.self)
    let arrow = String(decoding: word(&rest), as: UTF8.self)
    switch arrow {
    case "<->":
      return RecordedFrame(
        time: try instant(rest), connection: 0, kind: .opened, bytes: Array(address.utf8))
    case "<-":
      let (time, bytes) = try split(rest)
      return RecordedFrame(time: time, connection: 0, kind: .sent, bytes: bytes)
    case "->":
      let (time, bytes) = try split(rest)
      return RecordedFrame(
        time: time, connection: 0, kind: .answered(target: target(of: address)), bytes: bytes)
    default: throw RecordingProblem("the arrow \(arrow) is unknown")
    }
  }

  private static func split(_ line: Line) throws(RecordingProblem) -> (Instant, [UInt8]) {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon + 2 <= line.endIndex else {
      throw RecordingProblem("`<seconds>: <frame>` is expected")
    }
    return (try instant(line[..<colon]), Array(line[(colon + 2)...]))
  }

  private static func object(
    _ line: Line, _ connections: inout [String: Int]
  ) throws(RecordingProblem) -> RecordedFrame? {
    do throws(JSONError) {
      let json = try JSONDocument(parsing: Array(line)).root
      let event = try json.string("t")
      guard let name = json["conn"]?.string else { return nil }
      let connection = connections[name, default: connections.count]
      connections[name] = connection
      let kind: RecordedFrame.Kind
      var bytes = Array((json["data"]?.string ?? "").utf8)
      switch event {
      case "connect":
        kind = .opened
        bytes = Array((json["addr"]?.string ?? "").utf8)
      case "send": kind = .sent
      case "recv": kind = .received
      case "http": kind = .answered(target: target(of: try json.string("url")))
      default: return nil
      }
      guard let text = json["ts"]?.numberText else { throw .unexpected("ts is not a number") }
      do throws(RecordingProblem) {
        return RecordedFrame(
          time: try instant(Array(text.utf8)[...]), connection: connection, kind: kind,
          bytes: bytes)
      } catch {
        throw .unexpected(error.text)
      }
    } catch {
      throw RecordingProblem("\(error)")
    }
  }

  /// Path and query of `https://host/path?query`.
  private static func target(of address: String) -> String {
    var slashes = 0
    guard
      let start = address.firstIndex(where: { letter in
        slashes += letter == "/" ? 1 : 0
        return slashes == 3
      })
    else { return "/" }
    return String(address[start...])
  }

  // MARK: Times

  /// Seconds with up to nine decimals.
  private static func instant(_ text: Line) throws(RecordingProblem) -> Instant {
    let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    let decimals = parts.count > 1 ? parts[1].prefix(9) : []
    guard parts.count <= 2, let seconds = integer(parts[0]), seconds < 9_000_000_000,
      var fraction = decimals.isEmpty ? 0 : integer(decimals)
    else {
      throw RecordingProblem("\(String(decoding: text, as: UTF8.self)) is no time in seconds")
    }
    for _ in decimals.count..<9 { fraction *= 10 }
    return Instant(nanoseconds: seconds * 1_000_000_000 + fraction)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

  /// Digits only, 18 at most; 19 as long as they fit.
  private static func integer(_ text: Line) -> Int64? {
    guard !text.isEmpty, text.count <= 19 else { return nil }
    var value: UInt64 = 0
    for byte in text {
      guard isDigit(byte) else { return nil }
      value = value * 10 + UInt64(byte - 0x30)
    }
    return Int64(exactly: value)
  }
}
