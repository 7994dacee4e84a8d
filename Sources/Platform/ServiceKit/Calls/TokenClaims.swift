package import Calls
package import Chrono
package import JSON
internal import Security

/// What a token of the mesh says, written by auth and read by everybody, here once.
///
/// `iss`, `sub` (user id), `name`, `roles` (an array), `scope` (names separated by blanks, as in RFC
/// 8693), `iat`, `exp`.
package struct TokenClaims: Sendable, Hashable {
  package var issuer: String
  package var user: UserIdentity
  package var issued: Instant

  /// `user.expires` becomes `exp`, in whole seconds.
  package init(issuer: String, user: UserIdentity, issued: Instant) {
    self.issuer = issuer
    self.user = user
    self.issued = issued
  }

  /// For `JSONWebToken.sign`.
  package func write(into json: inout JSONWriter) {
    json.member("iss", issuer)
    json.member("sub", user.id)
    json.member("name", user.name)
    json.name("roles")
    json.beginArray()
    for role in user.roles { json.string(role) }
    json.endArray()
    json.member("scope", user.scopes.sorted().joined(separator: " "))
    json.member("iat", issued.seconds)
    json.member("exp", user.expires.seconds)
  }

  /// From the claims of a verified token; nil when one is missing or of another type.
  package init?(_ claims: JSONValue) {
    guard let issuer = claims["iss"]?.string, let id = claims["sub"]?.string, !id.isEmpty,
      let expires = claims["exp"]?.int64
    else { return nil }
    let roles = claims["roles"]?.array?.compactMap(\.string) ?? []
    let scopes = claims["scope"]?.string?.split(separator: " ").map(String.init) ?? []
    self.init(
      issuer: issuer,
      user: UserIdentity(
        id: id, name: claims["name"]?.string ?? id, roles: roles, scopes: Set(scopes),
        expires: Instant(milliseconds: expires * 1000)),
      issued: Instant(milliseconds: (claims["iat"]?.int64 ?? 0) * 1000))
  }
}
