import SimulatorKit
import Units

@testable import VenueSimulator
@testable import Venues

/// What it takes to connect a venue's adapter to its simulated exchange.
struct SimulatedProfile {
  let exchange: ExchangeSettings
  let apiKey: String
  let secret: [UInt8]
  let passphrase: String
  /// Bitcoin's and ether's names in our spelling.
  let bitcoin: String
  let ether: String

  init(_ venue: KnownVenue) throws {
    switch venue {
    case .binance:
      exchange = DialectClient.settings()
      (apiKey, secret, passphrase) = (DialectClient.key, DialectClient.secret, "")
      (bitcoin, ether) = ("BTCUSDT", "ETHUSDT")
    case .kraken:
      exchange = try KrakenClient.settings()
      (apiKey, secret, passphrase) = (KrakenClient.key, Array(KrakenClient.secret.utf8), "")
      (bitcoin, ether) = ("BTCUSD", "ETHUSD")
    case .okx:
      exchange = OKXClient.settings()
      apiKey = OKXClient.key
      (secret, passphrase) = (Array(OKXClient.secret.utf8), OKXClient.passphrase)
      (bitcoin, ether) = ("BTCUSDT", "ETHUSDT")
    case .binanceUSDM, .binanceCOINM:
      throw FaultError("venue", "is \(venue), which is not simulated")
    }
  }

  /// With one that nobody lists; a replay has bitcoin alone.
  func symbols(isReplay: Bool) -> [String] {
    isReplay ? [bitcoin] : [bitcoin, "NOPE", ether]
  }
}
