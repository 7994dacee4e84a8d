import Bytes
import Chrono
import JSON
import Security
import TestKit
import Testing

@Suite struct `JSON web tokens` {
  private let key = try! SigningKey.generate()
  private let now = Instant(nanoseconds: 1_700_000_000_000_000_000)

  private func token(expires: Int64 = 1_700_000_300, notBefore: Int64? = nil) -> String {
    JSONWebToken.sign(key: key, keyID: "k1") { claims in
      claims.member("sub", "admin")
      claims.member("exp", expires)
      if let notBefore { claims.member("nbf", notBefore) }
    }
  }

  private func verify(_ token: String, now: Instant? = nil) throws(TokenError) -> JSONValue {
    try JSONWebToken.verify(token, now: now ?? self.now) { $0 == "k1" ? key.publicKey : nil }
  }

  private func forged(header: String, payload: String = #"{"sub":"admin","exp":1700000300}"#)
    -> String
  {
    let signed =
      Base64.url.encode(Array(header.utf8)) + "." + Base64.url.encode(Array(payload.utf8))
    return signed + "." + Base64.url.encode(key.sign(Array(signed.utf8)))
  }

  @Test func `what was signed is what is read`() throws {
    #expect(try verify(token()).string("sub") == "admin")
  }

  @Test func `time is checked at both ends, with a little leeway`() throws {
    let late = Instant(nanoseconds: 1_700_000_306_000_000_000)
    #expect(throws: TokenError.expired(at: Instant(nanoseconds: 1_700_000_300_000_000_000))) {
      try verify(token(), now: late)
    }
    _ = try verify(token(), now: Instant(nanoseconds: 1_700_000_304_000_000_000))
    #expect(throws: TokenError.notYetValid(until: Instant(nanoseconds: 1_700_000_060_000_000_000)))
    {
      try verify(token(notBefore: 1_700_000_060))
    }
  }

  @Test func `no other algorithm is taken, however it is signed`() {
    for algorithm in ["none", "HS256", "RS256", "ES256", "eddsa", ""] {
      #expect(throws: TokenError.wrongAlgorithm(algorithm)) {
        try verify(forged(header: #"{"alg":"\#(algorithm)","kid":"k1"}"#))
      }
    }
  }

  @Test func `a changed bit anywhere is refused`() {
    let whole = Array(token().utf8)
    for index in whole.indices where whole[index] != UInt8(ascii: ".") {
      var changed = whole
      changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
      #expect(throws: TokenError.self) { try verify(String(decoding: changed, as: UTF8.self)) }
    }
  }

  @Test func `malformed tokens are refused`() {
    let good = token()
    for bad in [
      "", ".", "..", "a.b.c", good + ".", good + "=", String(good.dropLast()), " " + good,
      forged(header: #"{"alg":"EdDSA"}"#), forged(header: #"{"alg":"EdDSA","kid":"k2"}"#),
      forged(header: #"{"alg":"EdDSA","kid":"k1","crit":["x"]}"#),
      forged(header: #"{"alg":"none","alg":"EdDSA","kid":"k1"}"#),
      forged(header: #"{"alg":"EdDSA","kid":"k1"}"#, payload: #"{"sub":"admin"}"#),
      forged(header: #"{"alg":"EdDSA","kid":"k1"}"#, payload: #"{"exp":"1700000300"}"#),
      forged(header: #"{"alg":"EdDSA","kid":"k1"}"#, payload: #"[]"#),
      forged(header: #"{"alg":"EdDSA","kid":"k1"}"#, payload: #"{"exp":1,"exp":1700000300}"#),
    ] {
      #expect(throws: TokenError.self, "\(bad)") { try verify(bad) }
    }
  }

  @Test func `a key set survives its own text, and passes over foreign keys`() throws {
    let set = JSONWebKeySet(["k1": key.publicKey, "k2": try SigningKey.generate().publicKey])
    #expect(try JSONWebKeySet(json: set.json) == set)
    let mixed = try JSONWebKeySet(
      json: Array(#"{"keys":[{"kty":"RSA","kid":"r","n":"AQ","e":"AQAB"}]}"#.utf8))
    #expect(mixed.keys.isEmpty)
  }
}
