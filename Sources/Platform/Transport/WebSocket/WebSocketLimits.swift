/// What one WebSocket may use up, and how a silent peer is noticed.
package struct WebSocketLimits: Sendable, Hashable {
  /// Bytes of one received message, over all its fragments; beyond: close code 1009.
  package var messageMax = 1 << 20
  /// Received messages that wait for `receive`; then reading pauses and TCP holds the peer back.
  package var inboxMax = 256
  /// Bytes that the peer has not read: beyond, `send` waits and `trySend` says false.
  package var unsentMax = 1 << 20
  /// A ping goes out after so long without a byte from the peer; after twice that the peer is dead.
  package var pingInterval = Duration.seconds(20)
  /// How long the peer has to answer our close frame.
  package var closeMax = Duration.seconds(3)

  package init() {}
  package static let standard = WebSocketLimits()
}
