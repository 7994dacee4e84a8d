package import Calls
package import Transport

/// What it means to be a service of the mesh: seventeen types conform, and who knows one knows all.
///
/// Its life: settings are read and checked whole, `init` wires, the port opens (health and metrics
/// answer, calls are UNAVAILABLE), `start` does what takes time, calls are let in and discovery is
/// told, SIGTERM comes, discovery is told again, `drain` lets go of what is held, calls in flight end,
/// `stop` closes. A neighbour that is absent is waited for politely, never a reason to die.
package protocol ServiceDefinition: Sendable {
  associatedtype Config: ServiceSettings

  static var name: ServiceName { get }
  /// One sentence for `list` and for the catalog.
  static var summary: String { get }
  /// Orders `up`; nothing else may depend on it.
  static var needs: [ServiceName] { get }
  /// The gateway faces people: its port takes every RPC and route in plaintext too, with tokens.
  static var facesPeople: Bool { get }
  /// With several loops (`[mesh] loops`), handlers run on the one that their call came in on. When it
  /// is false all of them run on `context.loop`, as state that is confined to it demands.
  static var handlersRunAnywhere: Bool { get }

  /// Wires parts together; no I/O that may take long.
  init(_ context: ServiceContext, _ config: Config) async throws

  /// Generated from the handlers: `OmsV1.OrderServiceHandler.methods`.
  var methods: [ServerMethod] { get }
  /// Answers HTTP requests that are not health, metrics or RPC.
  var responder: (any HTTPResponder)? { get }

  /// Migrations, recovery, subscriptions. Until it returns the service is NOT_SERVING; when it throws
  /// the process ends with the error, and `up` starts it again.
  func start() async throws
  /// After SIGTERM, before the calls in flight have ended: stop making new work.
  func drain() async
  /// After the last call: close journals and connections.
  func stop() async
}

extension ServiceDefinition {
  package static var needs: [ServiceName] { [] }
  package static var facesPeople: Bool { false }
  package static var handlersRunAnywhere: Bool { false }
  package var responder: (any HTTPResponder)? { nil }
  package func start() async throws {}
  package func drain() async {}
  package func stop() async {}
}
