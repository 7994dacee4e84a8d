internal import Bytes
package import Chrono
package import JSON
internal import Security
internal import Transport
internal import Units
package import VenueSimulator

/// A client of OKX's REST without sockets: signs requests and reads answers.
package struct OKXClient: ~Copyable {
  package static let key = "okx-key-of-alice"
  package static let secret = "22582BD0CFF14C41EDBF1AB98506286D"
  package static let passphrase = "a passphrase"

  package var venue: SimulatedVenue
  package var now = DialectClient.start

  package static func settings(seed: UInt64 = 7) -> ExchangeSettings {
    ExchangeSettings(
      dialect: .okx, markets: SimulatedMarket.okx,
      accounts: [
        SimulatedAccountSettings(
          apiKey: key, secret: Array(secret.utf8),
          balances: [
            "USDT": Decimal(units: 1_000_000, scale: 0), "BTC": Decimal(units: 10, scale: 0),
          ], passphrase: passphrase)
      ], seed: seed, feeAsset: .received)
  }

  package init(_ settings: ExchangeSettings = OKXClient.settings()) {
    venue = SimulatedVenue(
      exchange: SimulatedExchange(settings: settings, start: DialectClient.start))
  }

  package static func sign(_ text: String) -> String {
    Base64.standard.encode(Digest.hmacSHA256(Array(text.utf8), key: Array(secret.utf8)))
  }

  package mutating func call(
    _ method: String, _ target: String, _ body: String = "", skew: Duration = .zero,
    sign: String? = nil, passphrase: String = OKXClient.passphrase
  ) throws -> JSONDocument {
    let time = (now + skew).rfc3339
    let tag = sign ?? Self.sign("\(time)\(method)\(target)\(body)")
    let request = HTTPRequest(
      method: method, target: target,
      headers: [
        HTTPHeader("ok-access-key", Self.key), HTTPHeader("ok-access-sign", tag),
        HTTPHeader("ok-access-timestamp", time), HTTPHeader("ok-access-passphrase", passphrase),
      ], body: Array(body.utf8), peerAddress: "127.0.0.1:9")
    return try JSONDocument(parsing: venue.answer(request, now: now).response.body)
  }

  package mutating func order(_ fields: String) throws -> JSONDocument {
    try call(
      "POST", "/api/v5/trade/order", #"{"instId":"BTC-USDT","tdMode":"cash",\#(fields)}"#)
  }
}
