/// What a public stream carries.
package enum StreamKind: UInt8, Sendable, Hashable, CaseIterable {
  case depthFast
  case depthSlow
  case trade
  case bookTicker

  /// As in a stream's name: `btcusdt@depth@100ms`.
  package var suffix: String {
    switch self {
    case .depthFast: "depth@100ms"
    case .depthSlow: "depth"
    case .trade: "trade"
    case .bookTicker: "bookTicker"
    }
  }

  init?(suffix: some StringProtocol) {
    guard let kind = Self.allCases.first(where: { $0.suffix == suffix }) else { return nil }
    self = kind
  }
}

/// A public stream of one market.
package struct StreamKey: Sendable, Hashable {
  package var market: Int
  package var kind: StreamKind
}

/// A message for everyone who listens to a stream: its payload as JSON text.
package enum ExchangeMessage: Sendable, Hashable {
  case market(StreamKey, payload: [UInt8])
  case account(Int, payload: [UInt8])
}
