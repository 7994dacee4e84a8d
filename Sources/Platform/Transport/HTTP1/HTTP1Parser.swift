internal import Glibc

/// Requests out of bytes, without a socket: feed what came, ask for what is complete. After a
/// refusal nothing more comes: the connection is to be closed, for where the next request begins is
/// unknown.
///
/// States: waiting for a request line → headers → (body of a length | chunk size → chunk → its line
/// end → ... → trailers) → the request is handed out → the next request line.
package struct HTTP1Parser {
  package enum Event {
    /// The headers are there, the body is not, and the peer waits for `100 Continue`.
    case continueExpected
    case request(HTTPRequest, keepsAlive: Bool)
    case refused(HTTP1Refusal)
  }

  /// Where the peer is in its current request; timeouts depend on it.
  package enum Phase: Sendable, Hashable {
    case betweenRequests, head, body, refused
  }

  private enum State {
    case requestLine
    case headers
    case body(left: Int)
    case chunkSize
    case chunk(left: Int)
    case chunkEnd
    case trailers
    case refused
  }

  private let limits: HTTP1Limits
  private var state = State.requestLine
  private var buffer: [UInt8] = []
  private var start = 0
  /// Bytes before this have no line feed; so a line that comes byte by byte is not searched again.
  private var searched = 0
  private var head: HTTP1Head?
  private var body: [UInt8] = []
  private var headerBytes = 0
  private var fields = 0
  private var sawEmptyLine = false

  /// Longest chunk size line; extensions have no use here.
  private static let chunkLineMax = 256

  package init(limits: HTTP1Limits = .standard) { self.limits = limits }

  package var phase: Phase {
    switch state {
    case .requestLine: start == buffer.count ? .betweenRequests : .head
    case .headers: .head
    case .refused: .refused
    default: .body
    }
  }

  /// Bytes that were fed and are not part of anything yet.
  package var buffered: Int { buffer.count - start }

  package mutating func feed(_ bytes: UnsafeRawBufferPointer) {
    if start > 0, start == buffer.count || start > 64 * 1024 { compact() }
    buffer.append(contentsOf: bytes)
  }

  /// What follows the last request, when the connection changes its protocol.
  package mutating func takeRest() -> [UInt8] {
    let rest = Array(buffer[start...])
    buffer = []
    (start, searched) = (0, 0)
    return rest
  }

  /// The next thing that is complete; nil when more bytes are needed.
  package mutating func next() -> Event? {
    do throws(HTTP1Refusal) {
      return try advance()
    } catch {
      state = .refused
      return .refused(error)
    }
  }

  private mutating func advance() throws(HTTP1Refusal) -> Event? {
    while true {
      switch state {
      case .requestLine:
        guard try takeRequestLine() else { return nil }
      case .headers:
        guard try takeHeader() else { return nil }
        if case .headers = state { continue }
        if head!.body == .none { return finish() }
        body.reserveCapacity(min(expectedBody, 64 * 1024))
        if head!.expectsContinue, start == buffer.count { return .continueExpected }
      case .body(let left):
        let rest = takeBody(left)
        state = .body(left: rest)
        guard rest == 0 else { return nil }
        return finish()
      case .chunkSize:
        guard try takeChunkSize() else { return nil }
      case .chunk(let left):
        let rest = takeBody(left)
        state = rest == 0 ? .chunkEnd : .chunk(left: rest)
        guard rest == 0 else { return nil }
      case .chunkEnd:
        guard buffered >= 2 else {
          if buffered == 1, buffer[start] != 0x0d { throw .bad("a chunk does not end its line") }
          return nil
        }
        guard buffer[start] == 0x0d, buffer[start + 1] == 0x0a else {
          throw .bad("a chunk does not end its line")
        }
        consume(2)
        state = .chunkSize
      case .trailers:
        guard try takeTrailer() else { return nil }
        if case .trailers = state { continue }
        return finish()
      case .refused:
        return nil
      }
    }
  }

  // MARK: Parts

  private mutating func takeRequestLine() throws(HTTP1Refusal) -> Bool {
    guard let end = try lineEnd(max: limits.requestLineMax, 414, "the request line is too long")
    else { return false }
    if end == start, !sawEmptyLine {
      // One empty line before a request is forgiven (RFC 9112, 2.2).
      sawEmptyLine = true
      consume(2)
      return true
    }
    head = try withLine(end) { line throws(HTTP1Refusal) in try HTTP1Head(line: line) }
    consume(end - start + 2)
    state = .headers
    (headerBytes, fields, sawEmptyLine) = (0, 0, false)
    return true
  }

  private mutating func takeHeader() throws(HTTP1Refusal) -> Bool {
    let left = limits.headerBytesMax - headerBytes
    guard let end = try lineEnd(max: left, 431, "the headers are too long") else { return false }
    defer { consume(end - start + 2) }
    guard end > start else {
      try head!.conclude(bodyMax: limits.bodyMax)
      switch head!.body {
      case .none: state = .body(left: 0)
      case .length(let count): state = .body(left: count)
      case .chunked: state = .chunkSize
      }
      headerBytes = 0
      return true
    }
    headerBytes += end - start + 2
    guard head!.headers.count < limits.headersMax else {
      throw HTTP1Refusal(431, "more than \(limits.headersMax) headers")
    }
    let header = try withLine(end) { line throws(HTTP1Refusal) in try HTTP1Grammar.header(line) }
    head!.headers.append(header)
    return true
  }

  private mutating func takeChunkSize() throws(HTTP1Refusal) -> Bool {
    guard let end = try lineEnd(max: Self.chunkLineMax, 400, "a chunk's size line is too long")
    else { return false }
    let size = try withLine(end) { line throws(HTTP1Refusal) in try HTTP1Grammar.chunkSize(line) }
    consume(end - start + 2)
    guard size <= limits.bodyMax - body.count else {
      throw HTTP1Refusal(413, "the body is over \(limits.bodyMax) bytes")
    }
    state = size == 0 ? .trailers : .chunk(left: size)
    return true
  }

  /// Trailers are checked and dropped: nothing here uses them, and merging them into headers is how
  /// some parsers are fooled.
  private mutating func takeTrailer() throws(HTTP1Refusal) -> Bool {
    let left = limits.headerBytesMax - headerBytes
    guard let end = try lineEnd(max: left, 431, "the trailers are too long") else { return false }
    defer { consume(end - start + 2) }
    guard end > start else {
      state = .requestLine
      return true
    }
    headerBytes += end - start + 2
    fields += 1
    guard fields <= limits.headersMax else {
      throw HTTP1Refusal(431, "more than \(limits.headersMax) trailers")
    }
    _ = try withLine(end) { line throws(HTTP1Refusal) in try HTTP1Grammar.header(line) }
    return true
  }

  private mutating func takeBody(_ left: Int) -> Int {
    let count = min(left, buffered)
    body.append(contentsOf: buffer[start..<start + count])
    consume(count)
    return left - count
  }

  private mutating func finish() -> Event {
    let done = head!
    let request = HTTPRequest(
      method: done.method, target: done.target, headers: done.headers, body: body,
      version: done.version)
    head = nil
    body = []
    state = .requestLine
    return .request(request, keepsAlive: done.keepsAlive)
  }

  // MARK: Buffer

  private var expectedBody: Int {
    if case .length(let count) = head!.body { return count }
    return 0
  }

  /// Where the line that begins at `start` ends (its CR), nil when its end is not there yet.
  private mutating func lineEnd(
    max: Int, _ status: Int, _ problem: String
  ) throws(HTTP1Refusal) -> Int? {
    let from = Swift.max(start, searched)
    let feed = buffer.withUnsafeBufferPointer { bytes -> Int? in
      guard from < bytes.count, let base = bytes.baseAddress,
        let found = memchr(base + from, 0x0a, bytes.count - from)
      else { return nil }
      return UnsafeRawPointer(base).distance(to: UnsafeRawPointer(found))
    }
    guard let feed else {
      searched = buffer.count
      if buffered > max { throw HTTP1Refusal(status, problem) }
      return nil
    }
    guard feed > start, buffer[feed - 1] == 0x0d else {
      throw .bad("a line ends without a carriage return")
    }
    if feed - start - 1 > max { throw HTTP1Refusal(status, problem) }
    return feed - 1
  }

  private func withLine<R>(
    _ end: Int, _ body: (Slice<UnsafeBufferPointer<UInt8>>) throws(HTTP1Refusal) -> R
  ) throws(HTTP1Refusal) -> R {
    let result = buffer.withUnsafeBufferPointer { bytes in
      Result { () throws(HTTP1Refusal) in try body(bytes[start..<end]) }
    }
    return try result.get()
  }

  private mutating func consume(_ count: Int) {
    start += count
    searched = start
  }

  private mutating func compact() {
    buffer.removeFirst(start)
    searched = max(0, searched - start)
    start = 0
  }
}
