/// A request's line and headers, and what they say about its body and its connection.
struct HTTP1Head {
  enum Body: Equatable {
    case none
    case length(Int)
    case chunked
  }

  let method: String
  let target: String
  /// Whom the absolute form of a target names; nil with the origin form.
  let authority: String?
  let version: HTTPVersion
  var headers: [HTTPHeader] = []
  var body = Body.none
  var expectsContinue = false
  var keepsAlive = true

  private static let methodMax = 32

  /// `GET /path HTTP/1.1`, single spaces, nothing else.
  init(line: Slice<UnsafeBufferPointer<UInt8>>) throws(HTTP1Refusal) {
    let space = UInt8(ascii: " ")
    guard let first = line.firstIndex(of: space), let last = line.lastIndex(of: space), first < last
    else { throw .bad("the request line is malformed") }
    let method = line[..<first]
    let target = line[(first + 1)..<last]
    let version = line[(last + 1)...]
    guard !method.isEmpty, method.count <= Self.methodMax,
      method.allSatisfy(HTTP1Grammar.isTokenByte)
    else { throw .bad("the request's method is malformed") }
    // Visible ASCII only; a fragment never belongs in a request.
    for byte in target where byte <= 0x20 || byte >= 0x7f || byte == UInt8(ascii: "#") {
      throw .bad("the request's target has an invalid character")
    }
    self.method = String(decoding: method, as: UTF8.self)
    self.version = try Self.version(version)
    let text = String(decoding: target, as: UTF8.self)
    (authority, self.target) = try Self.target(text, method: self.method)
  }

  private static func version(
    _ bytes: Slice<UnsafeBufferPointer<UInt8>>
  ) throws(HTTP1Refusal) -> HTTPVersion {
    if bytes.elementsEqual("HTTP/1.1".utf8) { return .http11 }
    if bytes.elementsEqual("HTTP/1.0".utf8) { return .http10 }
    let digits = bytes.dropFirst(5)
    guard bytes.starts(with: "HTTP/".utf8), digits.count == 3,
      digits.first.map({ $0 >= 0x30 && $0 <= 0x39 }) == true, digits.dropFirst().first == 0x2e
    else { throw .bad("the request's version is malformed") }
    throw HTTP1Refusal(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
  }

  /// Origin form; the absolute form (sent to proxies) is brought to it; `*` for OPTIONS.
  private static func target(
    _ text: String, method: String
  ) throws(HTTP1Refusal) -> (authority: String?, target: String) {
    if text.hasPrefix("/") { return (nil, text) }
    if text == "*", method == "OPTIONS" { return (nil, text) }
    for scheme in ["http://", "https://"] where text.lowercased().hasPrefix(scheme) {
      let rest = text.dropFirst(scheme.count)
      let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
      let authority = String(rest[..<end])
      guard !authority.isEmpty, isHost(authority) else { break }
      let path = String(rest[end...])
      return (authority, path.hasPrefix("/") ? path : "/" + path)
    }
    throw .bad("the request's target is no path")
  }

  /// Draws the conclusions when all headers are there. Anything that two parsers could read in two
  /// ways is refused (RFC 9112, 6.3 and 11.2).
  mutating func conclude(bodyMax: Int) throws(HTTP1Refusal) {
    var hosts = 0
    var length: Int?
    var codings: [String] = []
    for header in headers {
      switch header.name {
      case "host":
        hosts += 1
        guard Self.isHost(header.value) else { throw .bad("the host header is malformed") }
        // A client says the same twice (RFC 9112, 3.2); of two that differ, others may choose the other.
        if let authority, !equalsIgnoringCase(authority.utf8, header.value.utf8) {
          throw .bad("the target names another host than the host header")
        }
      case "content-length":
        guard length == nil else { throw .bad("content-length is given twice") }
        guard let count = HTTP1Grammar.length(header.value) else {
          throw .bad("content-length is not a number")
        }
        length = count
      case "transfer-encoding":
        codings.append(header.value)
      case "content_length", "transfer_encoding":
        // Some that stand in front of us take the underscore for a dash.
        throw .bad("a header's name is almost that of a length")
      case "expect":
        guard equalsIgnoringCase(header.value.utf8, "100-continue".utf8) else {
          throw HTTP1Refusal(417, "only 100-continue can be expected")
        }
        expectsContinue = version == .http11
      default: break
      }
    }
    guard hosts == 1 || hosts == 0 && version == .http10 else {
      throw .bad(hosts == 0 ? "the host header is missing" : "the host header is given twice")
    }
    if !codings.isEmpty {
      guard length == nil else { throw .bad("both content-length and transfer-encoding are given") }
      guard version == .http11 else { throw .bad("HTTP/1.0 has no transfer-encoding") }
      guard codings.count == 1, equalsIgnoringCase(codings[0].utf8, "chunked".utf8) else {
        throw HTTP1Refusal(501, "the only transfer-encoding is chunked")
      }
      body = .chunked
    } else if let length, length > 0 {
      guard length <= bodyMax else { throw HTTP1Refusal(413, "the body is over \(bodyMax) bytes") }
      body = .length(length)
    }
    keepsAlive =
      !headers.list("connection", contains: "close")
      && (version == .http11 || headers.list("connection", contains: "keep-alive"))
  }

  /// Host names, addresses, a port; empty is legal. No userinfo, path or blanks.
  private static func isHost(_ value: String) -> Bool {
    value.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"),
        UInt8(ascii: "%"), UInt8(ascii: "~"):
        true
      default: false
      }
    }
  }
}
