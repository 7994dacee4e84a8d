package import Calls
internal import Transport

/// Says who a bearer token belongs to.
package protocol TokenVerifier: Sendable {
  /// UNAUTHENTICATED for anything but a sound, current token; UNAVAILABLE when the keys to check it
  /// with cannot be had.
  func verify(_ token: String) async throws(RPCError) -> UserIdentity
}

/// Who may call what.
///
/// Three facts decide: the certificate (which service of the mesh is at the other end), the token (on
/// whose behalf), and what the method's contract asks for.
/// - A token that is given must be good, whatever the method asks: a forged one is never ignored.
/// - A user's token decides over scopes, also when a service passes it on.
/// - A service of the mesh without a token acts on its own account and may call everything, for the
///   mesh's authority vouches for its certificate. The exception is the gateway, which speaks for
///   people only: without their token it may call what is anonymous or for the mesh.
/// - `mesh` methods need a certificate, with or without a token.
package struct AccessControl: ServerInterceptor {
  private let tokens: any TokenVerifier

  package init(tokens: any TokenVerifier) { self.tokens = tokens }

  /// Services that never act on their own account towards scoped methods.
  private static let speakersForPeople: Set<String> = ["gateway"]

  package func intercept(
    _ context: ServerContext, _ next: () async throws -> Void
  ) async throws {
    if let header = context.metadata.text("authorization") {
      context.identity.user = try await tokens.verify(Self.bearer(header))
    }
    try Self.check(context.method, context.identity)
    try await next()
  }

  /// `Bearer <token>` (RFC 6750), the scheme in any case.
  package static func bearer(_ header: String) throws(RPCError) -> String {
    let bytes = header.utf8.drop { $0 == UInt8(ascii: " ") }
    let scheme = bytes.prefix { $0 != UInt8(ascii: " ") }
    let token = bytes.dropFirst(scheme.count).drop { $0 == UInt8(ascii: " ") }
    let isBearer = scheme.count == 6 && zip(scheme, "bearer".utf8).allSatisfy { $0 | 0x20 == $1 }
    guard isBearer, !token.isEmpty else {
      throw RPCError(.unauthenticated, "the authorization is no bearer token")
    }
    return String(Substring(token))
  }

  package static func check(_ method: MethodDescriptor, _ identity: Identity) throws(RPCError) {
    switch method.scope {
    case .anonymous:
      return
    case .mesh:
      guard identity.service != nil else {
        throw RPCError(.unauthenticated, "\(method.name) is for services of the mesh only")
      }
    case .authenticated:
      guard identity.user != nil || actsForItself(identity) else { throw noToken }
    case .scope(let scope):
      if let user = identity.user {
        guard user.scopes.contains(scope) else { throw missing(scope, user) }
      } else if !actsForItself(identity) {
        throw noToken
      }
    }
  }

  private static func actsForItself(_ identity: Identity) -> Bool {
    guard let service = identity.service else { return false }
    return !speakersForPeople.contains(service)
  }

  private static let noToken = RPCError(
    .unauthenticated, "a bearer token is needed: authorization: Bearer <token>")

  private static func missing(_ scope: String, _ user: UserIdentity) -> RPCError {
    RPCError(
      .permissionDenied, "\(user.name) lacks the scope \(scope)",
      details: [
        .errorInfo(
          reason: "MISSING_SCOPE", domain: "auth.shrivenquant",
          metadata: ["scope": scope, "roles": user.roles.joined(separator: ",")])
      ])
  }
}
