/// The protocol on top of a connection. All calls come on the connection's loop.
package protocol ConnectionDriver: AnyObject {
  /// The connection may be used: TCP is connected, and the TLS handshake is done if there is one.
  func connected()
  /// Bytes from the peer; valid during the call only.
  func received(_ bytes: UnsafeRawBufferPointer)
  /// Everything sent so far has been given to the kernel, after it had to wait.
  func drained()
  /// The last call. The connection lets go of its driver.
  func closed(_ reason: CloseReason)
}

/// Why a connection ended.
package enum CloseReason: Sendable, Hashable, CustomStringConvertible {
  /// The peer closed in order.
  case peer
  /// Our side closed or aborted.
  case local
  case failed(String)

  package var description: String {
    switch self {
    case .peer: "closed by the peer"
    case .local: "closed by this side"
    case .failed(let why): why
    }
  }
}
