internal import JSON
internal import ServiceKit

/// The first users of a mesh, with random passwords that only the owner of the state folder reads.
/// The auth service takes them over when it starts with an empty table.
struct BootstrapUsers: Sendable {
  struct User: Sendable {
    let name: String
    let password: String
    let roles: [String]
  }

  let users: [User]

  static let roles = ["admin", "trader", "viewer"]
  private static let passwordLength = 32

  static func make() -> BootstrapUsers {
    BootstrapUsers(
      users: roles.map { User(name: $0, password: randomText(passwordLength), roles: [$0]) })
  }

  init(users: [User]) { self.users = users }

  init(reading state: StateFolder) throws {
    let root = try JSONDocument(parsing: readFile(state.credentials)).root
    users = try root.array("users").map { user in
      User(
        name: try user.string("name"), password: try user.string("password"),
        roles: try user.array("roles").compactMap(\.string))
    }
  }

  func write(_ state: StateFolder) throws(FileError) {
    var json = JSONWriter()
    json.beginObject()
    json.name("users")
    json.beginArray()
    for user in users {
      json.beginObject()
      json.member("name", user.name)
      json.member("password", user.password)
      json.name("roles")
      json.beginArray()
      for role in user.roles { json.string(role) }
      json.endArray()
      json.endObject()
    }
    json.endArray()
    json.endObject()
    try writeFile(state.credentials, json.text + "\n", mode: 0o600)
  }

  /// Letters and digits from the system's generator: nothing that a shell or a URL would mind.
  static func randomText(_ length: Int) -> String {
    let alphabet = Array("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789")
    var random = SystemRandomNumberGenerator()
    return String((0..<length).map { _ in alphabet.randomElement(using: &random)! })
  }
}

/// The key with which the mesh trades on the simulator: `bootstrap/venue-sim.json`, mode 0600, read
/// by both sides.
struct SimulatorKey: Sendable {
  let key: String
  let secret: String

  static func make() -> SimulatorKey {
    SimulatorKey(
      key: BootstrapUsers.randomText(64), secret: BootstrapUsers.randomText(64))
  }

  init(key: String, secret: String) {
    self.key = key
    self.secret = secret
  }

  init(reading state: StateFolder) throws {
    let root = try JSONDocument(parsing: readFile(state.simulatorKey)).root
    key = try root.string("apiKey")
    secret = try root.string("secretKey")
  }

  func write(_ state: StateFolder) throws(FileError) {
    var json = JSONWriter()
    json.beginObject()
    json.member("apiKey", key)
    json.member("secretKey", secret)
    json.endObject()
    try writeFile(state.simulatorKey, json.text + "\n", mode: 0o600)
  }
}
