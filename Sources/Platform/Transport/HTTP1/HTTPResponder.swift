/// Answers plain HTTP requests of a server: the gateway's REST, health, metrics.
package protocol HTTPResponder: Sendable {
  /// Runs on the connection's event loop. The task is cancelled when the peer goes away.
  func respond(to request: HTTPRequest) async -> HTTPResponse
}
