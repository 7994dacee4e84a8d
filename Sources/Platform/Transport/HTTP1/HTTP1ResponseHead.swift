/// The status line and headers of a response, for the WebSocket client's handshake.
struct HTTP1ResponseHead {
  let status: Int
  let headers: [HTTPHeader]
  /// Index of the first byte behind the empty line.
  let end: Int

  /// Index behind the empty line, nil while it is not there.
  static func end(in bytes: [UInt8]) -> Int? {
    guard bytes.count >= 4 else { return nil }
    for index in 3..<bytes.count where bytes[index] == 0x0a {
      if bytes[index - 1] == 0x0d, bytes[index - 2] == 0x0a, bytes[index - 3] == 0x0d {
        return index + 1
      }
    }
    return nil
  }

  init(_ bytes: [UInt8]) throws(HTTP1Refusal) {
    guard let end = Self.end(in: bytes) else { throw .bad("it has no end") }
    let parsed = bytes.withUnsafeBufferPointer { buffer in
      Result { () throws(HTTP1Refusal) in try Self.parse(Slice(base: buffer, bounds: 0..<end - 2)) }
    }
    (status, headers) = try parsed.get()
    self.end = end
  }

  private static func parse(
    _ head: Slice<UnsafeBufferPointer<UInt8>>
  ) throws(HTTP1Refusal) -> (Int, [HTTPHeader]) {
    var lines: [Slice<UnsafeBufferPointer<UInt8>>] = []
    var rest = head
    while let feed = rest.firstIndex(of: 0x0a) {
      guard feed > rest.startIndex, rest[feed - 1] == 0x0d else {
        throw .bad("a line ends without a carriage return")
      }
      lines.append(rest[..<(feed - 1)])
      rest = rest[(feed + 1)...]
    }
    guard let statusLine = lines.first, statusLine.count >= 12,
      statusLine.starts(with: "HTTP/1.1 ".utf8)
    else { throw .bad("it has no HTTP/1.1 status line") }
    let code = statusLine.dropFirst(9).prefix(3)
    guard let status = HTTP1Grammar.length(String(decoding: code, as: UTF8.self)), status >= 100,
      statusLine.count == 12 || statusLine.dropFirst(12).first == 0x20
    else { throw .bad("its status is no number") }
    var headers: [HTTPHeader] = []
    for line in lines.dropFirst() { headers.append(try HTTP1Grammar.header(line)) }
    return (status, headers)
  }
}
