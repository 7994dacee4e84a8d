internal import Bytes
internal import Calls
internal import Chrono
internal import Contracts
internal import Security
internal import ServiceKit
internal import Telemetry
internal import Wire

struct Handlers: AuthV1.AuthServiceHandler {
  let store: any UserStore
  let passwords: Passwords
  let issuer: TokenIssuer
  let service: ServiceContext
  let logins: CounterFamily

  func issueToken(
    _ request: AuthV1.IssueTokenRequest, _ context: ServerContext
  ) async throws -> AuthV1.IssueTokenResponse {
    guard !request.username.isEmpty else { throw RPCError.invalid("username", "is missing") }
    guard !request.password.isEmpty else { throw RPCError.invalid("password", "is missing") }
    guard request.password.utf8.count <= 1_024 else {
      throw RPCError.invalid("password", "is longer than 1024 bytes")
    }
    let user = try await store.user(named: request.username)
    guard try await passwords.verify(request.password, against: user?.passwordHash), let user else {
      logins.with("refused").increment()
      service.log.warning("login refused", ["name": .text(String(request.username.prefix(64)))])
      throw RPCError(.unauthenticated, "wrong name or password")
    }
    logins.with("granted").increment()
    return issuer.token(for: user, now: service.time.now)
  }

  func getKeySet(
    _ request: AuthV1.GetKeySetRequest, _ context: ServerContext
  ) async throws -> AuthV1.GetKeySetResponse {
    issuer.keySet
  }

  func getMe(_ request: AuthV1.GetMeRequest, _ context: ServerContext) async throws -> AuthV1.User {
    guard let identity = context.identity.user else {
      throw RPCError(.unauthenticated, "a bearer token is needed: whose user is asked for?")
    }
    guard let user = try await store.user(id: identity.id) else {
      throw RPCError(.notFound, "user \(identity.name) is no more")
    }
    return AuthV1.User(user)
  }

  func createUser(
    _ request: AuthV1.CreateUserRequest, _ context: ServerContext
  ) async throws -> AuthV1.User {
    let allowed = Set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    guard (1...64).contains(request.name.count), request.name.allSatisfy(allowed.contains) else {
      throw RPCError.invalid("name", "must be 1 to 64 characters of [a-z0-9._-]")
    }
    guard (12...256).contains(request.password.count) else {
      throw RPCError.invalid("password", "must have 12 to 256 characters")
    }
    guard !request.roles.isEmpty else {
      throw RPCError.invalid("roles", "is empty: one or more of admin, trader, viewer")
    }
    for (index, role) in request.roles.enumerated() where Role(rawValue: role) == nil {
      throw RPCError.invalid(
        "roles[\(index)]", "\(role.prefix(64)) is no role: admin, trader or viewer")
    }
    let user = StoredUser(
      id: UserID.make(), name: request.name,
      passwordHash: try await passwords.hash(request.password),
      roles: Array(Set(request.roles)).sorted(), created: service.time.now)
    guard try await store.add(user) else {
      throw RPCError(.alreadyExists, "the name \(request.name) is taken")
    }
    service.log.info(
      "user created",
      ["name": .text(user.name), "by": .text(context.identity.user?.name ?? "the mesh")])
    return AuthV1.User(user)
  }

  func listUsers(
    _ request: AuthV1.ListUsersRequest, _ context: ServerContext
  ) async throws -> AuthV1.ListUsersResponse {
    var response = AuthV1.ListUsersResponse()
    response.users = try await store.users().map { AuthV1.User($0) }
    return response
  }
}

enum UserID {
  static func make() -> String { "u-" + Hexadecimal.encode(SecureRandom.bytes(12)) }
}

extension AuthV1.User {
  init(_ user: StoredUser) {
    self.init()
    userId = user.id
    name = user.name
    roles = user.roles
    scopes = Role.scopes(of: user.roles).sorted()
    createdAt = .init(user.created)
  }
}
