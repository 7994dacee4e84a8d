internal import Chrono

struct StoredUser: Sendable {
  var id: String
  var name: String
  var passwordHash: String
  var roles: [String]
  var created: Instant
}

/// Users, each with a name of its own.
protocol UserStore: Sendable {
  func prepare() async throws
  func user(named name: String) async throws -> StoredUser?
  func user(id: String) async throws -> StoredUser?
  /// By name.
  func users() async throws -> [StoredUser]
  /// False when the name is taken.
  func add(_ user: StoredUser) async throws -> Bool
}
