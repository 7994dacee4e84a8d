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
  /// Bytes that a client may be behind before it is sent away.
  var behindMax: Int { get }
  var clientCount: Int { get }
}

extension StreamDesk {
  /// Sends now or sends the client away; false when it was.
  @discardableResult
  func say(_ text: [UInt8], to socket: WebSocket) -> Bool {
    if socket.trySend(.text, text, unsentMax: behindMax) { return true }
    socket.startClosing(.policy("too slow"))
    return false
  }
}
