import Calls
import Transport

extension FuzzTarget {
  /// Read at once or byte by byte, the same requests and refusals come out.
  static let http1 = FuzzTarget(
    name: "http1",
    seeds: [
      "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
      "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
      """
      POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r
      T: v\r\n\r\n
      """,
      "GET http://other:80/p?q HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
      "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ].map { Array($0.utf8) },
    words: [
      "\r\n", "\n", "\r", "\0", ":", " ", "HTTP/1.1", "HTTP/2.0", "Content-Length: ",
      "Transfer-Encoding: chunked", "Transfer-Encoding: gzip", "Host: y\r\n", "0\r\n\r\n",
      "ffffffffffffffff\r\n", "18446744073709551616", "-1", "\r\n folded", "PRI * HTTP/2.0\r\n\r\n",
    ]
  ) { bytes in
    let whole = requests(bytes, step: max(1, bytes.count))
    let parts = requests(bytes, step: 1)
    return Verdict(
      signature: whole.map(\.kind).joined(separator: ","),
      fault: whole.map(\.text) == parts.map(\.text)
        ? nil : "at once: \(whole.map(\.text)); byte by byte: \(parts.map(\.text))")
  }

  private static func requests(_ bytes: [UInt8], step: Int) -> [(kind: String, text: String)] {
    var parser = HTTP1Parser()
    var seen: [(kind: String, text: String)] = []
    for start in stride(from: 0, to: bytes.count, by: step) {
      bytes[start..<min(start + step, bytes.count)].withUnsafeBytes { parser.feed($0) }
      while let event = parser.next() {
        switch event {
        case .continueExpected: break
        case .request(let request, let keepsAlive):
          seen.append((request.method, "\(request) \(keepsAlive)"))
          if !keepsAlive { return seen }
        case .refused(let refusal):
          seen.append(("\(refusal.status)", "\(refusal.status) \(refusal.problem)"))
          return seen
        }
      }
    }
    return seen
  }
}
