/// How a WebSocket ended: the code of RFC 6455, 7.4, and words.
package struct WebSocketClose: Sendable, Hashable {
  package let code: UInt16
  package let reason: String

  /// `reason` is cut to the 123 bytes that a close frame takes.
  package init(_ code: UInt16, _ reason: String = "") {
    self.code = code
    var text = reason
    while text.utf8.count > 123 { text.removeLast() }
    self.reason = text
  }

  package static let normal = WebSocketClose(1000)
  package static let goingAway = WebSocketClose(1001, "the server goes away")
  /// For a peer that reads too slowly, or breaks a rule of ours.
  package static func policy(_ reason: String) -> WebSocketClose { WebSocketClose(1008, reason) }
}

package enum WebSocketError: Error, Sendable, Hashable, CustomStringConvertible {
  /// No connection or no handshake: nothing was ever sent.
  case notConnected(String)
  /// The connection ended without a close frame.
  case lost(String)
  /// The peer, or our side because of what the peer did, ended it with another code than 1000 or
  /// 1001.
  case closed(WebSocketClose)
  /// The socket was already closed by our side when `send` was called.
  case alreadyClosed

  package var description: String {
    switch self {
    case .notConnected(let why): "no WebSocket: \(why)"
    case .lost(let why): "WebSocket lost: \(why)"
    case .closed(let close): "WebSocket closed with \(close.code) \(close.reason)"
    case .alreadyClosed: "the WebSocket is closed"
    }
  }
}
