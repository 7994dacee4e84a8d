/// In whose words an exchange speaks, and which paths of a shared port are its own.
package enum VenueDialect: String, Sendable, Hashable, CaseIterable {
  case binance
  case kraken
  case okx

  /// Whose a request is; nil for nobody's. A path is asked for as the venue documents it.
  package init?(path: some StringProtocol) {
    if path.hasPrefix("/0/") || path == "/v2" || path.hasPrefix("/v2/") {
      self = .kraken
    } else if path.hasPrefix("/api/v5/") || path.hasPrefix("/ws/v5/") {
      self = .okx
    } else if path.hasPrefix("/api/v3/") || path == "/ws" || path.hasPrefix("/ws/")
      || path == "/stream"
    {
      self = .binance
    } else {
      return nil
    }
  }

  /// A path that is asked for to open a socket.
  func isStream(_ path: some StringProtocol) -> Bool {
    switch self {
    case .kraken: path == "/v2" || path.hasPrefix("/v2/")
    case .okx: path.hasPrefix("/ws/v5/")
    case .binance: path == "/stream" || path == "/ws" || path.hasPrefix("/ws/")
    }
  }
}
