internal import Chrono
internal import JSON
internal import ServiceKit
internal import Telemetry

/// Takes over the users that `up` made for a new mesh, once: when the table is empty.
struct BootstrapUsers: Sendable {
  let context: ServiceContext
  let store: any UserStore
  let passwords: Passwords

  func takeOver() async throws {
    guard try await store.users().isEmpty, fileExists(context.state.credentials) else { return }
    let root = try JSONDocument(parsing: readFile(context.state.credentials)).root
    for entry in try root.array("users") {
      let name = try entry.string("name")
      let hash = try await passwords.hash(entry.string("password"))
      let user = StoredUser(
        id: UserID.make(), name: name, passwordHash: hash,
        roles: try entry.array("roles").compactMap(\.string), created: context.time.now)
      if try await store.add(user) {
        context.log.info("user taken over from the bootstrap credentials", ["name": .text(name)])
      }
    }
  }
}
