internal import Bytes
internal import Calls
internal import Chrono
internal import Contracts
internal import Security
internal import ServiceKit

/// Signs tokens with a key that outlives the process: `pki/auth-signing.key`, mode 0600.
struct TokenIssuer: Sendable {
  private let key: SigningKey
  private let keyID: String
  private let issuer: String
  private let life: Duration

  init(_ state: StateFolder, issuer: String, life: Duration) throws {
    let path = state.key(of: "auth-signing")
    if fileExists(path) {
      key = try SigningKey(pem: String(decoding: try readFile(path), as: UTF8.self))
    } else {
      key = try SigningKey.generate()
      try makeFolder(state.pki, mode: 0o700)
      try writeFile(path, key.pem, mode: 0o600)
    }
    keyID = Base64.url.encode(Array(Digest.sha256(key.publicKey.raw).prefix(12)))
    self.issuer = issuer
    self.life = life
  }

  func token(for user: StoredUser, now: Instant) -> AuthV1.IssueTokenResponse {
    let identity = UserIdentity(
      id: user.id, name: user.name, roles: user.roles, scopes: Role.scopes(of: user.roles),
      expires: now + life)
    let claims = TokenClaims(issuer: issuer, user: identity, issued: now)
    var response = AuthV1.IssueTokenResponse()
    response.accessToken = JSONWebToken.sign(key: key, keyID: keyID) { claims.write(into: &$0) }
    response.tokenType = "Bearer"
    response.expiresIn = Int32(life.components.seconds)
    return response
  }

  var keySet: AuthV1.GetKeySetResponse {
    var key = AuthV1.GetKeySetResponse.Key()
    key.kty = "OKP"
    key.crv = "Ed25519"
    key.x = Base64.url.encode(self.key.publicKey.raw)
    key.kid = keyID
    key.alg = "EdDSA"
    key.use = "sig"
    var response = AuthV1.GetKeySetResponse()
    response.keys = [key]
    return response
  }
}
