import Bytes
import Chrono
import JSON
import Security
import Transport
import Units
import Venue

@testable import VenueSimulator

/// A client of the simulator's dialect without sockets: signs requests and reads answers.
struct DialectClient: ~Copyable {
  static let key = "key-of-alice"
  static let secret = Array("secret-of-alice".utf8)
  static let start = Instant(milliseconds: 1_790_000_000_000)

  var venue: SimulatedVenue
  var now = DialectClient.start

  static func settings(seed: UInt64 = 7) -> ExchangeSettings {
    ExchangeSettings(
      accounts: [
        SimulatedAccountSettings(
          apiKey: key, secret: secret,
          balances: [
            "USDT": Decimal(units: 1_000_000, scale: 0), "BTC": Decimal(units: 10, scale: 0),
          ])
      ], seed: seed, feeAsset: .received)
  }

  init(_ settings: ExchangeSettings = DialectClient.settings()) {
    venue = SimulatedVenue(
      exchange: SimulatedExchange(settings: settings, start: DialectClient.start))
  }

  /// A signed request at the present moment.
  mutating func signed(
    _ method: String, _ path: String, _ parameters: String = "", key: String = DialectClient.key,
    secret: [UInt8] = DialectClient.secret, skew: Int64 = 0
  ) -> VenueAnswer {
    var query = parameters + (parameters.isEmpty ? "" : "&")
    query += "timestamp=\(now.milliseconds + skew)"
    let tag = Hexadecimal.encode(Digest.hmacSHA256(Array(query.utf8), key: secret))
    return send(method, "\(path)?\(query)&signature=\(tag)", key: key)
  }

  mutating func send(
    _ method: String, _ target: String, key: String? = nil, body: String = ""
  ) -> VenueAnswer {
    let request = HTTPRequest(
      method: method, target: target,
      headers: key.map { [HTTPHeader("x-mbx-apikey", $0)] } ?? [], body: Array(body.utf8),
      peerAddress: "127.0.0.1:9")
    return venue.answer(request, now: now)
  }

  mutating func order(_ parameters: String) -> VenueAnswer {
    signed("POST", "/api/v3/order", parameters)
  }
}

extension VenueAnswer {
  var json: JSONDocument { try! JSONDocument(parsing: response.body) }
  var status: Int { response.status }
  var weight: String? { response.headers.first("x-mbx-used-weight-1m") }
  var code: Int64? { json["code"]?.int64 }
  var text: String { String(decoding: response.body, as: UTF8.self) }
}
