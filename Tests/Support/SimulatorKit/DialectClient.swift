internal import Bytes
package import Chrono
package import JSON
internal import Security
internal import Transport
internal import Units
package import VenueSimulator

/// A client of the simulator's dialect without sockets: signs requests and reads answers.
package struct DialectClient: ~Copyable {
  package static let key = "key-of-alice"
  package static let secret = Array("secret-of-alice".utf8)
  package static let start = Instant(milliseconds: 1_790_000_000_000)

  package var venue: SimulatedVenue
  package var now = DialectClient.start

  package static func settings(seed: UInt64 = 7) -> ExchangeSettings {
    ExchangeSettings(
      accounts: [
        SimulatedAccountSettings(
          apiKey: key, secret: secret,
          balances: [
            "USDT": Decimal(units: 1_000_000, scale: 0), "BTC": Decimal(units: 10, scale: 0),
          ])
      ], seed: seed, feeAsset: .received)
  }

  package init(_ settings: ExchangeSettings = DialectClient.settings()) {
    venue = SimulatedVenue(
      exchange: SimulatedExchange(settings: settings, start: DialectClient.start))
  }

  /// A signed request at the present moment.
  package mutating func signed(
    _ method: String, _ path: String, _ parameters: String = "", key: String = DialectClient.key,
    secret: [UInt8] = DialectClient.secret, skew: Int64 = 0
  ) -> VenueAnswer {
    var query = parameters + (parameters.isEmpty ? "" : "&")
    query += "timestamp=\(now.milliseconds + skew)"
    let tag = Hexadecimal.encode(Digest.hmacSHA256(Array(query.utf8), key: secret))
    return send(method, "\(path)?\(query)&signature=\(tag)", key: key)
  }

  package mutating func send(
    _ method: String, _ target: String, key: String? = nil, body: String = ""
  ) -> VenueAnswer {
    let request = HTTPRequest(
      method: method, target: target,
      headers: key.map { [HTTPHeader("x-mbx-apikey", $0)] } ?? [], body: Array(body.utf8),
      peerAddress: "127.0.0.1:9")
    return venue.answer(request, now: now)
  }

  package mutating func inject(_ fault: VenueFault) throws(FaultError) {
    _ = try venue.inject(fault, now: now)
  }

  package mutating func order(_ parameters: String) -> VenueAnswer {
    signed("POST", "/api/v3/order", parameters)
  }
}

extension VenueAnswer {
  package var json: JSONDocument { try! JSONDocument(parsing: response.body) }
  package var status: Int { response.status }
  package var weight: String? { response.headers.first("x-mbx-used-weight-1m") }
  package var code: Int64? { json["code"]?.int64 }
  package var text: String { String(decoding: response.body, as: UTF8.self) }
}
