/// A request without a response. A response of any status, 500 too, is no error here.
package struct HTTPClientError: Error, Sendable, Hashable, CustomStringConvertible {
  package enum Kind: Sendable, Hashable {
    /// The request cannot be sent as it is: URL, method or headers are malformed.
    case invalidRequest
    /// No address, or no connection to it.
    case connect
    /// The TLS handshake failed, or the certificate is not trusted.
    case tls
    case timeout
    /// Its time was over while it waited for a free connection of ours: it says nothing of the peer.
    case queued
    /// The request's own objection kept it here.
    case withheld
    /// The connection broke while sending or receiving, or the response is malformed.
    case broken
    case bodyTooLarge
    case cancelled
  }

  package let kind: Kind
  /// True when the peer may have seen the request, in whole or in part, and may have carried it
  /// out: an order's fate is then unknown until the venue is asked. False is a promise that it has
  /// not.
  package let mayHaveReachedPeer: Bool
  package let description: String

  init(_ kind: Kind, mayHaveReachedPeer: Bool, _ description: String) {
    self.kind = kind
    self.mayHaveReachedPeer = mayHaveReachedPeer
    self.description = description
  }
}
