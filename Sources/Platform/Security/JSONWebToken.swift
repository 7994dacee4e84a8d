internal import Bytes
package import Chrono
package import JSON

/// Why a token is refused. The caller is told UNAUTHENTICATED; the log is told this.
package enum TokenError: Error, Sendable, Hashable, CustomStringConvertible {
  case malformed(String)
  /// Anything but EdDSA, `none` included.
  case wrongAlgorithm(String)
  case unknownKey(String)
  case badSignature
  case expired(at: Instant)
  case notYetValid(until: Instant)

  package var description: String {
    switch self {
    case .malformed(let what): "malformed token: \(what)"
    case .wrongAlgorithm(let name): "the token is signed with \(name), not EdDSA"
    case .unknownKey(let id): "the token's key \(id) is not known"
    case .badSignature: "the token's signature is wrong"
    case .expired(let at): "the token expired at \(at.seconds)"
    case .notYetValid(let until): "the token is not valid before \(until.seconds)"
    }
  }
}

/// JSON Web Tokens (RFC 7519) signed with Ed25519 (RFC 8037), and no others.
package enum JSONWebToken {
  /// Clocks of two services may differ by so much.
  package static let leeway = Duration.seconds(5)
  private static let bytesMax = 16 * 1024

  /// `claims` writes the members of the payload's object; `exp` must be among them.
  package static func sign(
    key: SigningKey, keyID: String, claims: (inout JSONWriter) -> Void
  ) -> String {
    var header = JSONWriter()
    header.beginObject()
    header.member("alg", "EdDSA")
    header.member("typ", "JWT")
    header.member("kid", keyID)
    header.endObject()
    var payload = JSONWriter()
    payload.beginObject()
    claims(&payload)
    payload.endObject()
    let signed =
      Base64.url.encode(header.finished()) + "." + Base64.url.encode(payload.finished())
    return signed + "." + Base64.url.encode(key.sign(Array(signed.utf8)))
  }

  /// The claims of a token that is whole, signed by the key that it names, and valid `now`.
  package static func verify(
    _ token: String, now: Instant, key: (_ keyID: String) -> VerifyingKey?
  ) throws(TokenError) -> JSONValue {
    guard token.utf8.count <= bytesMax else { throw .malformed("longer than \(bytesMax) bytes") }
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3 else { throw .malformed("not three parts") }
    let header = try object(parts[0], "header")
    guard let algorithm = header["alg"]?.string else { throw .malformed("no alg") }
    guard algorithm == "EdDSA" else { throw .wrongAlgorithm(algorithm) }
    guard header["crit"] == nil else { throw .malformed("crit is not understood") }
    guard let keyID = header["kid"]?.string else { throw .malformed("no kid") }
    guard let key = key(keyID) else { throw .unknownKey(keyID) }
    let signature = try bytes(parts[2], "signature")
    let signed = Array(token.utf8.prefix(parts[0].utf8.count + 1 + parts[1].utf8.count))
    guard key.verify(signature, of: signed) else { throw .badSignature }
    let claims = try object(parts[1], "payload")
    try checkTimes(claims, now)
    return claims
  }

  private static func checkTimes(_ claims: JSONValue, _ now: Instant) throws(TokenError) {
    guard let expiry = claims["exp"] else { throw .malformed("no exp") }
    let expires = try moment(expiry, "exp")
    guard now < expires + leeway else { throw .expired(at: expires) }
    if let start = claims["nbf"] {
      let begins = try moment(start, "nbf")
      guard begins < now + leeway || begins == now + leeway else {
        throw .notYetValid(until: begins)
      }
    }
  }

  /// Whole seconds since 1970.
  private static func moment(_ value: JSONValue, _ name: String) throws(TokenError) -> Instant {
    guard let seconds = value.int64, (0...9_000_000_000).contains(seconds) else {
      throw .malformed("\(name) is no time")
    }
    return Instant(nanoseconds: seconds * 1_000_000_000)
  }

  private static func bytes(_ text: Substring, _ what: String) throws(TokenError) -> [UInt8] {
    do throws(Base64Error) {
      return try Base64.url.decode(text)
    } catch {
      throw .malformed("the \(what) is not base64url")
    }
  }

  private static func object(_ text: Substring, _ what: String) throws(TokenError) -> JSONValue {
    let bytes = try bytes(text, what)
    let document: JSONDocument
    do throws(JSONError) {
      document = try JSONDocument(parsing: bytes)
    } catch {
      throw .malformed("the \(what) is not JSON")
    }
    guard let object = document.root.object else { throw .malformed("the \(what) is no object") }
    if let name = object.duplicateName { throw .malformed("the \(what) has \(name) twice") }
    return document.root
  }
}

/// A JSON Web Key Set (RFC 7517) of Ed25519 public keys.
package struct JSONWebKeySet: Sendable, Hashable {
  package private(set) var keys: [String: VerifyingKey] = [:]

  package init(_ keys: [String: VerifyingKey]) { self.keys = keys }

  package subscript(_ keyID: String) -> VerifyingKey? { keys[keyID] }

  package var json: [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.name("keys")
    writer.beginArray()
    for (id, key) in keys.sorted(by: { $0.key < $1.key }) {
      writer.beginObject()
      writer.member("kty", "OKP")
      writer.member("crv", "Ed25519")
      writer.member("use", "sig")
      writer.member("alg", "EdDSA")
      writer.member("kid", id)
      writer.member("x", Base64.url.encode(key.raw))
      writer.endObject()
    }
    writer.endArray()
    writer.endObject()
    return writer.finished()
  }

  /// Keys of other kinds are passed over, as RFC 7517 asks.
  package init(json: [UInt8]) throws(TokenError) {
    let document: JSONDocument
    do throws(JSONError) {
      document = try JSONDocument(parsing: json)
    } catch {
      throw .malformed("the key set is not JSON")
    }
    guard let list = document["keys"]?.array else { throw .malformed("no keys") }
    for entry in list {
      guard entry["kty"]?.string == "OKP", entry["crv"]?.string == "Ed25519",
        let id = entry["kid"]?.string, let x = entry["x"]?.string
      else { continue }
      do {
        keys[id] = try VerifyingKey(raw: try Base64.url.decode(x))
      } catch {
        throw .malformed("the key \(id)")
      }
    }
  }
}
