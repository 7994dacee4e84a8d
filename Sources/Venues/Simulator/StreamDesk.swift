internal import Transport

/// The sockets of one exchange: who listens to what, and how it is told. Confined to the
/// simulator's loop.
protocol StreamDesk: AnyObject {
  /// Serves one socket until it ends.
  func serve(_ socket: WebSocket, _ request: HTTPRequest, _ shell: VenueShell) async
  /// Tells everyone who listens; a client that is far behind is sent away, not waited for.
  func hear(_ deliveries: [Delivery], _ shell: VenueShell)
  func disconnect(_ scope: StreamScope)
  func close()
}

extension StreamDesk {
  /// Bytes that a client may be behind before it is sent away: far more than what a playback at full
  /// speed leaves unread, for that one waits.
  static var behindMax: Int { 8 << 20 }

  /// Sends now or sends the client away; false when it was.
  @discardableResult
  func say(_ text: [UInt8], to socket: WebSocket) -> Bool {
    if socket.trySend(.text, text, unsentMax: Self.behindMax) { return true }
    socket.startClosing(.policy("too slow"))
    return false
  }
}
