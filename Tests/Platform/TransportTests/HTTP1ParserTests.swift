import Testing

@testable import Transport

/// What a parser made of some bytes, in words.
private func parsed(_ text: String, limits: HTTP1Limits = .standard, split: Int? = nil) -> [String]
{
  parsed(Array(text.utf8), limits: limits, split: split)
}

private func parsed(
  _ bytes: [UInt8], limits: HTTP1Limits = .standard, split: Int? = nil
) -> [String] {
  var parser = HTTP1Parser(limits: limits)
  var seen: [String] = []
  func feed(_ part: ArraySlice<UInt8>) {
    part.withUnsafeBytes { parser.feed($0) }
    while let event = parser.next() {
      switch event {
      case .continueExpected: seen.append("continue")
      case .request(let request, let keepsAlive):
        let body = String(decoding: request.body, as: UTF8.self)
        seen.append("\(request.method) \(request.target) [\(body)]\(keepsAlive ? "" : " close")")
      case .refused(let refusal): seen.append("\(refusal.status) \(refusal.problem)")
      }
    }
  }
  guard let split else {
    feed(bytes[...])
    return seen
  }
  if split == 0 {
    for index in bytes.indices { feed(bytes[index...index]) }
  } else {
    feed(bytes[..<split])
    feed(bytes[split...])
  }
  return seen
}

private let host = "Host: x\r\n"

@Suite struct `HTTP/1.1 parser` {
  static let accepted: [(String, [String])] = [
    ("GET / HTTP/1.1\r\n\(host)\r\n", ["GET / []"]),
    ("\r\nGET /a?b=c%20d HTTP/1.1\r\n\(host)\r\n", ["GET /a?b=c%20d []"]),
    ("GET / HTTP/1.0\r\n\r\n", ["GET / [] close"]),
    ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", ["GET / []"]),
    ("GET / HTTP/1.1\r\n\(host)Connection: foo, Close\r\n\r\n", ["GET / [] close"]),
    ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", ["GET / [] close"]),
    ("GET / HTTP/1.0\r\nConnection: keep-alive-ish\r\n\r\n", ["GET / [] close"]),
    ("GET http://X:80/p?q HTTP/1.1\r\nHost: x:80\r\n\r\n", ["GET /p?q []"]),
    ("GET HTTP://x HTTP/1.1\r\n\(host)\r\n", ["GET / []"]),
    ("GET http://x?q HTTP/1.1\r\n\(host)\r\n", ["GET /?q []"]),
    ("GET http://other/p HTTP/1.0\r\n\r\n", ["GET /p [] close"]),
    // A path of empty segments is a path, and no other host.
    ("GET //evil.example/ HTTP/1.1\r\n\(host)\r\n", ["GET //evil.example/ []"]),
    ("GET /%2e%2e/%00?a=//b HTTP/1.1\r\n\(host)\r\n", ["GET /%2e%2e/%00?a=//b []"]),
    ("GET / HTTP/1.1\r\n\(host)X_Under: 1\r\n\r\n", ["GET / []"]),
    ("GET / HTTP/1.1\r\n\(host)Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", ["GET / []"]),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: \t 05 \t\r\n\r\nhello", ["POST / [hello]"]),
    (
      "POST / HTTP/1.1\r\n\(host)Transfer-Encoding:\tchunked \r\n\r\n0A\r\n0123456789\r\n000\r\n\r\n",
      ["POST / [0123456789]"]
    ),
    ("OPTIONS * HTTP/1.1\r\n\(host)\r\n", ["OPTIONS * []"]),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: 5\r\n\r\nhello", ["POST / [hello]"]),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: 0\r\n\r\n", ["POST / []"]),
    (
      "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nT: v\r\n\r\n",
      ["POST / [hello!]"]
    ),
    ("GET /1 HTTP/1.1\r\n\(host)\r\nGET /2 HTTP/1.1\r\n\(host)\r\n", ["GET /1 []", "GET /2 []"]),
    (
      "POST /1 HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nPOST /2 HTTP/1.1\r\n\(host)Content-Length: 2\r\n\r\ncdGET /3 HTTP/1.1\r\n\(host)\r\n",
      ["POST /1 [ab]", "POST /2 [cd]", "GET /3 []"]
    ),
  ]

  @Test(arguments: accepted)
  func `good requests are understood, however they are cut`(_ text: String, _ expected: [String]) {
    #expect(parsed(text) == expected)
    for split in 0..<text.utf8.count {
      #expect(parsed(text, split: split) == expected, "cut at \(split)")
    }
  }

  static let refused: [(String, Int)] = [
    // Two lengths, and lengths that others might read otherwise.
    ("POST / HTTP/1.1\r\n\(host)Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: 5\r\ncontent-length: 6\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: 5, 5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: 5,\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: 5 5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: 5;x\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: 1_0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: 5.0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: \u{665}\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: \"5\"\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: 18446744073709551621\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length : 5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)\tContent-Length: 5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length\u{0}: 5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content_Length: 5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: +5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: -1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: 0x5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length:\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: 99999999999999999999\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Content-Length: 9999999\r\n\r\n", 413),
    // Transfer codings.
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked, gzip\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked, chunked\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked,\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: , chunked\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: xchunked\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked;q=1\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: \"chunked\"\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding:\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding : chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host) Transfer-Encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding:\r\n chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chun\rked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\u{0}\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding\r\n: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer_Encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)X: y\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: identity\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: \u{b}chunked\r\n\r\n", 400),
    (
      "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      501
    ),
    ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    // Line ends, folds, blanks.
    ("GET / HTTP/1.1\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\n\r\n", 400),
    ("GET / HTTP/1.1\r\n\(host)A: b\rc\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n\(host)A: b\r\n c\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n\(host): v\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n\(host)A B: v\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n\(host)nocolon\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n\(host)A: \u{0}\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n\(host)A: b\r\n\tc\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n\(host)A: \u{7f}\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\r\n\(host)\r\n", 400),
    ("GET /\r HTTP/1.1\r\n\(host)\r\n", 400),
    ("GET / HTTP/1.1\r\n\(host)\r\r\n", 400),
    ("GET / HTTP/1.1\r\n\(host)\n", 400),
    ("\nGET / HTTP/1.1\r\n\(host)\r\n", 400),
    (" \r\nGET / HTTP/1.1\r\n\(host)\r\n", 400),
    ("\u{0}GET / HTTP/1.1\r\n\(host)\r\n", 400),
    ("\r\n\r\nGET / HTTP/1.1\r\n\(host)\r\n", 400),
    // Request lines.
    ("GET /\r\n", 400),
    ("GET  / HTTP/1.1\r\n", 400),
    ("GET / HTTP/1.1 \r\n", 400),
    ("GET /a b HTTP/1.1\r\n", 400),
    ("GET /#f HTTP/1.1\r\n", 400),
    ("GET /\u{e9} HTTP/1.1\r\n", 400),
    ("GET x HTTP/1.1\r\n", 400),
    ("GET * HTTP/1.1\r\n", 400),
    ("CONNECT x:443 HTTP/1.1\r\n", 400),
    ("GET http:///p HTTP/1.1\r\n", 400),
    ("GET http://a@b/p HTTP/1.1\r\n", 400),
    ("GET ftp://x/p HTTP/1.1\r\n", 400),
    ("GET http://x/#f HTTP/1.1\r\n", 400),
    ("GET http://other/ HTTP/1.1\r\n\(host)\r\n", 400),
    ("GET http://x:80/ HTTP/1.1\r\n\(host)\r\n", 400),
    ("GET\t/ HTTP/1.1\r\n", 400),
    ("GET /\tHTTP/1.1\r\n", 400),
    ("GET /\u{0} HTTP/1.1\r\n", 400),
    ("GET / HTTP/1.1\u{0}\r\n", 400),
    (" GET / HTTP/1.1\r\n", 400),
    ("GET / HTTP/+1.1\r\n", 400),
    ("GET / HTTP/1.10\r\n", 400),
    ("GET / HTTP/0.9\r\n", 505),
    ("G(T / HTTP/1.1\r\n", 400),
    ("GET / HTTP/2.0\r\n", 505),
    ("GET / HTTP/1.2\r\n", 505),
    ("GET / http/1.1\r\n", 400),
    ("GET / HTTP/11\r\n", 400),
    ("PRI * HTTP/2.0\r\n", 505),
    // Hosts.
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n\(host)\(host)\r\n", 400),
    ("GET / HTTP/1.1\r\n\(host)Host: y\r\n\r\n", 400),
    ("GET / HTTP/1.0\r\n\(host)\(host)\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x, y\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    // Chunks.
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n0x5\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n5 ;x\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n5;x=\"y\"\r\nhello", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n5;\r\nhello", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n5;\nhello", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n5;\rhello\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n0;x\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n5 \r\nhello", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n 5\r\nhello", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n5\r\r\nhello", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n-5\r\nhello", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n+5\r\nhello", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n1_0\r\nhello", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n1\r\na\r0\r\n\r\n", 400),
    (
      "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n0\r\nT: v\r\n folded\r\n\r\n",
      400
    ),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n0\r\n\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n5\nhello", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n1\r\nab", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n", 413),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 400),
    ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n0\r\nT : v\r\n\r\n", 400),
    // Expectations.
    ("POST / HTTP/1.1\r\n\(host)Expect: tea\r\nContent-Length: 1\r\n\r\n", 417),
  ]

  @Test(arguments: refused)
  func `what could be read in two ways is refused, however it is cut`(_ text: String, _ status: Int)
  {
    let whole = parsed(text)
    #expect(whole.count == 1 && whole[0].hasPrefix("\(status) "), "\(whole)")
    for split in 0..<text.utf8.count {
      let cut = parsed(text, split: split)
      #expect(
        cut.last?.hasPrefix("\(status) ") == true && cut.count == 1, "cut at \(split): \(cut)")
    }
  }

  @Test func `nothing follows a refusal`() {
    #expect(parsed("BAD\r\nGET / HTTP/1.1\r\n\(host)\r\n").count == 1)
  }

  @Test func `a body that is waited for asks to continue, one that is there does not`() {
    let head = "POST / HTTP/1.1\r\n\(host)Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"

    #expect(parsed(head + "ab") == ["POST / [ab]"])
    #expect(parsed(head + "ab", split: head.utf8.count) == ["continue", "POST / [ab]"])
    #expect(parsed(head.replacing("1.1", with: "1.0"), split: 5) == [])
  }

  @Test func `every limit has its status`() {
    var limits = HTTP1Limits()
    limits.requestLineMax = 30
    limits.headersMax = 3
    limits.headerBytesMax = 60
    limits.bodyMax = 4
    func status(_ text: String, split: Int? = nil) -> String {
      parsed(text, limits: limits, split: split).last.map { String($0.prefix(3)) } ?? "none"
    }
    let long = String(repeating: "a", count: 60)

    #expect(status("GET /\(long) HTTP/1.1\r\n", split: 0) == "414")
    #expect(status(long) == "414")
    #expect(status("GET / HTTP/1.1\r\n\(host)a: 1\r\nb: 2\r\nc: 3\r\n\r\n") == "431")
    #expect(status("GET / HTTP/1.1\r\n\(host)a: \(long)\r\n\r\n", split: 0) == "431")
    #expect(status("GET / HTTP/1.1\r\n\(host)a: \(long)") == "431")
    #expect(status("POST / HTTP/1.1\r\n\(host)Content-Length: 5\r\n\r\n") == "413")
    #expect(
      status("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\n")
        == "413")
  }

  @Test func `header names are lowered and values trimmed`() {
    var parser = HTTP1Parser()
    Array("GET /p?a=1&b=%41+c HTTP/1.1\r\nHOST:x\r\nX-Thing: \t a b\t \r\nEmpty:\r\n\r\n".utf8)
      .withUnsafeBytes { parser.feed($0) }
    guard case .request(let request, _) = parser.next() else {
      Issue.record("no request")
      return
    }

    #expect(
      request.headers == [
        HTTPHeader("host", "x"), HTTPHeader("x-thing", "a b"), HTTPHeader("empty", ""),
      ])
    #expect(request.path == "/p" && request.query == "a=1&b=%41+c")
    #expect(request.queryItems?.map(\.value) == ["1", "A c"])
  }

  @Test func `bytes at random never crash`() {
    var generator = SeededBytes(state: 11)
    let pieces = [
      "GET ", "POST ", "/ ", "HTTP/1.1", "HTTP/1.0", "\r\n", "\r", "\n", ":", " ", "Host: x\r\n",
      "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "0\r\n", "3\r\nabc\r\n",
      "\r\n\r\n",
      "Expect: 100-continue\r\n", "\u{0}", "é", ";",
    ].map { Array($0.utf8) }
    for _ in 0..<5_000 {
      let bytes = (0..<Int.random(in: 0...14, using: &generator)).flatMap { _ in
        pieces.randomElement(using: &generator)!
      }
      #expect(
        parsed(bytes) == parsed(bytes, split: 0) || bytes.isEmpty
          || parsed(bytes, split: 0).contains("continue"))
    }
  }
}

/// SplitMix64, so that a failure repeats.
struct SeededBytes: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
