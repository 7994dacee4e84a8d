internal import Calls

/// A request over HTTP/2 that is no gRPC call, and its answer's body.
final class PlainExchange {
  private(set) var request: HTTPRequest
  let isHead: Bool
  private let bodyMax: Int
  private var answer: [UInt8] = []
  private var given = 0

  init(_ head: RequestHead, _ peer: Peer, bodyMax: Int) {
    request = HTTPRequest(
      method: head.methodText, target: head.pathText, headers: head.headers,
      identity: Identity(service: peer.serviceName), peerAddress: peer.address, version: .http2)
    let authority = head.authorityText
    if !authority.isEmpty, request.header("host") == nil {
      request.headers.append(HTTPHeader("host", authority))
    }
    isHead = head.isHead
    self.bodyMax = bodyMax
  }

  /// False when the body has become too large.
  func take(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    guard request.body.count + bytes.count <= bodyMax else { return false }
    request.body.append(contentsOf: bytes)
    return true
  }

  func begin(_ body: [UInt8]) {
    answer = body
    given = 0
  }

  func pull(_ buffer: UnsafeMutableRawBufferPointer) -> HTTP2Pull {
    let count = min(buffer.count, answer.count - given)
    answer.withUnsafeBytes {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[given..<given + count]))
    }
    given += count
    return given == answer.count ? .end(count, trailers: false) : .bytes(count)
  }

  /// Connection-specific fields do not exist in HTTP/2 (RFC 9113, section 8.2.2).
  static func head(of response: HTTPResponse) -> HeaderBlock {
    var block = HeaderBlock()
    // A WebSocket over HTTP/2 (RFC 8441) is not offered.
    let isUpgrade = response.webSocketHandler != nil
    block.add(named: ":status", String(isUpgrade ? 501 : response.status))
    for header in response.headers {
      switch header.name {
      case "connection", "transfer-encoding", "keep-alive", "upgrade", "proxy-connection",
        "content-length":
        continue
      default: block.add(header.name, header.value)
      }
    }
    block.add(named: "content-length", String(isUpgrade ? 0 : response.body.count))
    return block
  }
}
