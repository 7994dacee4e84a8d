package import Loop
package import Security

/// HTTP requests to venues and other outside servers, by libcurl on our event loop: kept
/// connections, TLS 1.2 or newer, no redirects, HTTP/1.1. May be used from any task.
package final class HTTPClient: Sendable {
  private let transfers: CurlTransfers

  /// `connectionsMax` per host; more requests wait for one of them, within their timeouts.
  package init(loop: EventLoop, trust: Trust = .system, connectionsMax: Int = 8) {
    self.transfers = CurlTransfers(loop: loop, trust: trust, connectionsMax: connectionsMax)
  }

  deinit {
    let transfers = self.transfers
    transfers.loop.execute { transfers.close() }
  }

  package func send(
    _ request: HTTPClientRequest
  ) async throws(HTTPClientError) -> HTTPClientResponse {
    let transfer = CurlTransfer(request)
    let transfers = self.transfers
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        transfers.loop.onLoop { transfers.begin(transfer, continuation) }
      }
    } onCancel: {
      transfers.loop.execute { transfers.cancel(transfer) }
    }
    return try result.get()
  }
}
