package import Calls
package import Security
package import Transport

/// How fast a capture is played.
package enum ReplaySpeed: Sendable, Hashable {
  /// As it was recorded, or so many times faster.
  case times(Int64)
  /// As fast as the clients read; nothing is lost, and it waits for the first client.
  case instant

  package static let realtime = ReplaySpeed.times(1)
}

/// A recorded market to play instead of background flow.
package struct ReplaySettings: Sendable, Hashable {
  /// Whose recording it is, and so which exchange plays it.
  package var dialect: VenueDialect
  /// By the venue's own name: `BTC/USD` at Kraken.
  package var symbol: String
  /// Played one after another.
  package var files: [String]
  package var speed: ReplaySpeed
  /// It begins only when told by `StartReplay`, so that a whole mesh can be listening.
  package var isHeld = false

  package init(
    dialect: VenueDialect = .binance, symbol: String, files: [String], speed: ReplaySpeed
  ) {
    self.dialect = dialect
    self.symbol = symbol
    self.files = files
    self.speed = speed
  }
}

/// Everything that `venue-sim` is started with.
package struct VenueSimulatorConfiguration: Sendable {
  package var address: Address
  /// Nil for plaintext, in tests only.
  package var tls: TLSContext?
  /// One of a dialect at most; the path of a request says which one is meant.
  package var exchanges: [ExchangeSettings]
  package var replays: [ReplaySettings] = []
  /// Calls that are served on the same port, made once the exchanges exist.
  package var methods: @Sendable (VenueAdministration) -> [ServerMethod] = { _ in [] }
  package var interceptors: [any ServerInterceptor] = []
  /// Bytes that a client of a stream may be behind before it is sent away: far more than what a
  /// playback at full speed leaves unread, for that one waits.
  package var behindMax = 8 << 20
  /// Where acknowledged orders are kept; nil to forget them at the end.
  package var stateDirectory: String?

  package init(address: Address, tls: TLSContext?, exchanges: [ExchangeSettings]) {
    self.address = address
    self.tls = tls
    self.exchanges = exchanges
  }

  package init(address: Address, tls: TLSContext?, exchange: ExchangeSettings) {
    self.init(address: address, tls: tls, exchanges: [exchange])
  }
}
