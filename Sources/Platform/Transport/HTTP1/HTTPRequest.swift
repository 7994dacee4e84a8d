package import Calls

package enum HTTPVersion: Sendable, Hashable {
  case http10
  case http11
  case http2
}

/// A whole request, as every responder sees it, over HTTP/1.1 or HTTP/2.
package struct HTTPRequest: Sendable {
  package var method: String
  /// Path and query as sent: `/v1/books/BTC-USDT?depth=5`.
  package var target: String
  package var headers: [HTTPHeader]
  package var body: [UInt8]
  /// Who the connection proved to be (client certificate); tokens are the responder's business.
  package var identity: Identity
  /// Address of the peer, as text: `127.0.0.1:40112`.
  package var peerAddress: String
  package var version: HTTPVersion

  package init(
    method: String, target: String, headers: [HTTPHeader] = [], body: [UInt8] = [],
    identity: Identity = Identity(), peerAddress: String = "", version: HTTPVersion = .http11
  ) {
    self.method = method
    self.target = target
    self.headers = headers
    self.body = body
    self.identity = identity
    self.peerAddress = peerAddress
    self.version = version
  }

  /// The target before `?`, not percent-decoded.
  package var path: Substring {
    target.prefix { $0 != "?" }
  }

  /// The target after `?`, not percent-decoded; nil without one.
  package var query: Substring? {
    guard let mark = target.firstIndex(of: "?") else { return nil }
    return target[target.index(after: mark)...]
  }

  /// The query's `name=value` pairs in order, percent-decoded, `+` as space; nil when an escape is
  /// broken or does not decode to UTF-8.
  package var queryItems: [(name: String, value: String)]? {
    guard let query else { return [] }
    var items: [(name: String, value: String)] = []
    for part in query.split(separator: "&") {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = percentDecoded(pair[0], plusIsSpace: true),
        let value = percentDecoded(pair.count > 1 ? pair[1] : "", plusIsSpace: true)
      else { return nil }
      items.append((name, value))
    }
    return items
  }

  package func header(_ name: String) -> String? { headers.first(name) }
}

/// Undoes `%41`; nil for a broken escape, a NUL, or bytes that are not UTF-8.
package func percentDecoded(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(text.utf8.count)
  var rest = text.utf8.makeIterator()
  while let byte = rest.next() {
    switch byte {
    case UInt8(ascii: "%"):
      guard let high = rest.next().flatMap(hexadecimal), let low = rest.next().flatMap(hexadecimal),
        high | low != 0
      else { return nil }
      bytes.append(high << 4 | low)
    case UInt8(ascii: "+") where plusIsSpace:
      bytes.append(0x20)
    default:
      bytes.append(byte)
    }
  }
  return String(validating: bytes, as: UTF8.self)
}

/// Escapes everything but the unreserved characters of RFC 3986, for one path segment or query
/// value.
package func percentEncoded(_ text: some StringProtocol) -> String {
  let digits = Array("0123456789ABCDEF".utf8)
  var bytes: [UInt8] = []
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"), UInt8(ascii: "~"):
      bytes.append(byte)
    default:
      bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
  }
  return String(decoding: bytes, as: UTF8.self)
}

/// The value of one hexadecimal digit.
func hexadecimal(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
