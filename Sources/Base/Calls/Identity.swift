package import Chrono

/// Who is calling, as proven by the connection and by the token.
package struct Identity: Sendable, Hashable {
  /// The service of the mesh at the other end (from its certificate's URI), nil for plaintext.
  package var service: String?
  /// The user on whose behalf the call is made (from a verified token), nil for none.
  package var user: UserIdentity?

  package init(service: String? = nil, user: UserIdentity? = nil) {
    self.service = service
    self.user = user
  }
}

package struct UserIdentity: Sendable, Hashable {
  package var id: String
  package var name: String
  package var roles: [String]
  package var scopes: Set<String>
  package var expires: Instant

  package init(id: String, name: String, roles: [String], scopes: Set<String>, expires: Instant) {
    self.id = id
    self.name = name
    self.roles = roles
    self.scopes = scopes
    self.expires = expires
  }
}
