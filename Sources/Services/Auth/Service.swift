package import Calls
internal import Contracts
internal import Postgres
package import ServiceKit
internal import Telemetry

/// Users, passwords and the tokens that every service checks for itself.
package struct Auth: ServiceDefinition {
  package static let name: ServiceName = "auth"
  package static let summary =
    "users, passwords (scrypt), tokens (Ed25519 JWT) and their public keys"
  package static let needs: [ServiceName] = ["discovery"]

  private let context: ServiceContext
  private let database: Database
  private let store: any UserStore
  private let passwords: Passwords
  package let methods: [ServerMethod]

  package init(_ context: ServiceContext, _ config: Config) throws {
    self.context = context
    database = try context.database()
    store = PostgresUserStore(database)
    passwords = Passwords(atOnceMax: config.hashesAtOnceMax, waitingMax: config.hashesWaitingMax)
    let issuer = try TokenIssuer(
      context.state, issuer: context.mesh.tokenIssuer, life: config.tokenLife)
    let logins = context.metrics.counters(
      "auth_logins_total", help: "Password logins.", labels: ["result"])
    methods =
      Handlers(
        store: store, passwords: passwords, issuer: issuer, service: context, logins: logins
      ).methods
  }

  package func start() async throws {
    // Passwords are there: without it nobody logs in, while tokens that were given are good.
    context.requireDatabase(database)
    let users = context.readiness.require("users", reason: "PostgreSQL has not answered")
    context.spawn("prepare users") { [context, store, passwords] in
      try await store.prepare()
      try await BootstrapUsers(context: context, store: store, passwords: passwords).takeOver()
      users.hold()
    }
  }
}
