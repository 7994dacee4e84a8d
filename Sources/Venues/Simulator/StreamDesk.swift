internal import Transport

/// The sockets of one exchange: who listens to what, and how it is told. Confined to the
/// simulator's loop.
protocol StreamDesk: AnyObject {
  /// Serves one socket until it ends.
  func serve(_ socket: WebSocket, _ request: HTTPRequest, _ shell: VenueShell) async
  /// What each listener is to be told, in order.
  func tellings(_ deliveries: [Delivery], _ shell: VenueShell) -> [Telling]
  /// Somebody has the book of a market.
  func hasListeners(market: Int) -> Bool
  var subscriptions: SubscriptionWait { get }
  func disconnect(_ scope: StreamScope)
  func close()
  /// Bytes that a client may be behind before it is sent away.
  var behindMax: Int { get }
  var clientCount: Int { get }
}

/// A message to one client.
struct Telling {
  let socket: WebSocket
  let text: [UInt8]
}

extension StreamDesk {
  /// Tells everyone who listens; a client that is far behind is sent away, not waited for.
  func hear(_ deliveries: [Delivery], _ shell: VenueShell) {
    for telling in tellings(deliveries, shell) { say(telling.text, to: telling.socket) }
  }

  /// To everyone who listens, at the speed of the slowest: nothing is lost.
  func deliver(_ deliveries: [Delivery], _ shell: VenueShell) async {
    for telling in tellings(deliveries, shell) {
      do throws(WebSocketError) {
        try await telling.socket.send(text: telling.text)
      } catch {
        // The session's own task sees the end and takes it out.
        continue
      }
    }
  }

  /// Sends now or sends the client away; false when it was.
  @discardableResult
  func say(_ text: [UInt8], to socket: WebSocket) -> Bool {
    if socket.trySend(.text, text, unsentMax: behindMax) { return true }
    socket.startClosing(.policy("too slow"))
    return false
  }
}
