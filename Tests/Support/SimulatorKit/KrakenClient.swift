internal import Bytes
package import Chrono
package import JSON
internal import Security
internal import Transport
internal import Units
package import VenueSimulator

/// A client of Kraken's REST without sockets: signs requests and reads answers.
package struct KrakenClient: ~Copyable {
  package static let key = "kraken-key-of-alice"
  /// The secret of the documentation's example ("Spot REST Authentication").
  package static let secret =
    "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="

  package var venue: SimulatedVenue
  package var now = DialectClient.start
  package var nonce: UInt64 = 1_616_492_376_594

  package static func settings(seed: UInt64 = 7) throws -> ExchangeSettings {
    ExchangeSettings(
      dialect: .kraken, markets: SimulatedMarket.kraken,
      accounts: [
        SimulatedAccountSettings(
          apiKey: key, secret: try Base64.standard.decode(secret),
          balances: [
            "USD": Decimal(units: 1_000_000, scale: 0), "BTC": Decimal(units: 10, scale: 0),
          ])
      ], seed: seed)
  }

  package init(_ settings: ExchangeSettings? = nil) throws {
    let settings = try settings ?? Self.settings()
    venue = SimulatedVenue(
      exchange: SimulatedExchange(settings: settings, start: DialectClient.start))
  }

  /// A private call with its nonce first, as the documentation signs it.
  package mutating func call(
    _ name: String, _ fields: String = "", sign: String? = nil
  ) throws -> JSONDocument {
    let body = Array("nonce=\(nonce)\(fields.isEmpty ? "" : "&")\(fields)".utf8)
    let path = "/0/private/\(name)"
    let inner = Digest.sha256(Array("\(nonce)".utf8) + body)
    let tag = Digest.hmacSHA512(
      Array(path.utf8) + inner, key: try Base64.standard.decode(Self.secret))
    nonce += 1
    let request = HTTPRequest(
      method: "POST", target: path,
      headers: [
        HTTPHeader("api-key", Self.key),
        HTTPHeader("api-sign", sign ?? Base64.standard.encode(tag)),
      ], body: body, peerAddress: "127.0.0.1:9")
    return try JSONDocument(parsing: venue.answer(request, now: now).response.body)
  }

  package mutating func ask(_ target: String) throws -> JSONDocument {
    let request = HTTPRequest(method: "GET", target: target, peerAddress: "127.0.0.1:9")
    return try JSONDocument(parsing: venue.answer(request, now: now).response.body)
  }
}
