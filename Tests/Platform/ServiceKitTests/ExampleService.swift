import Calls
import Chrono
import Contracts
import Loop
import Security
import ServiceKit
import Synchronization
import Telemetry
import TestKit
import Transport
import Wire

/// A service with a method of each kind of scope, whose start and drain wait for the test.
struct ExampleService: ServiceDefinition {
  static let name: ServiceName = "oms"
  static let summary = "an example"

  struct Config: ServiceSettings {
    let greeting: String

    init(_ settings: SettingsReader) {
      greeting = settings.string("greeting", default: "hello", "What is said.")
    }
  }

  static let contract = "shrivenquant.example.v1.ExampleService"

  static func method(_ name: String, _ scope: RequiredScope) -> MethodDescriptor {
    MethodDescriptor(
      service: contract, name: name, shape: .unary, scope: scope, isIdempotent: true,
      request: "google.protobuf.StringValue", response: "google.protobuf.StringValue")
  }

  static let anybody = method("Anybody", .anonymous)
  static let somebody = method("Somebody", .authenticated)
  static let reader = method("Reader", .scope("orders.read"))
  static let peer = method("Peer", .mesh)

  let config: Config
  let steps: Steps

  init(_ context: ServiceContext, _ config: Config) {
    self.config = config
    steps = Steps(loop: context.loop)
  }

  var methods: [ServerMethod] {
    [Self.anybody, Self.somebody, Self.reader, Self.peer].map { descriptor in
      ServerMethod(
        descriptor,
        .unary { [config] _, context in
          var answer = GoogleProtobuf.StringValue()
          answer.value = "\(config.greeting) \(context.identity.user?.name ?? "stranger")"
          return answer.encoded()
        })
    }
  }

  func start() async throws { await steps.reach("start") }
  func drain() async { await steps.reach("drain") }
  func stop() async { await steps.reach("stop") }

  /// Says how far the service has come; `drain` goes on when the test lets it.
  final class Steps: Sendable {
    private let loop: EventLoop
    private let state = Mutex<(reached: [String], mayDrain: Bool)>(([], false))

    init(loop: EventLoop) { self.loop = loop }

    var reached: [String] { state.withLock { $0.reached } }
    func letDrain() { state.withLock { $0.mayDrain = true } }

    func reach(_ step: String) async {
      state.withLock { $0.reached.append(step) }
      guard step == "drain" else { return }
      while !state.withLock({ $0.mayDrain }) { await loop.sleep(for: .milliseconds(1)) }
    }
  }
}

/// A state folder with the certificates of a few services, and tokens that its services believe.
final class ExampleMesh: Sendable {
  let folder: TemporaryFolder
  let state: StateFolder
  let signing: SigningKey
  let authority: CertificateAuthority

  init() throws {
    folder = try TemporaryFolder()
    state = StateFolder(folder.path)
    signing = try SigningKey.generate()
    let now = SystemTime().now
    authority = try CertificateAuthority.create(now: now)
    try makeFolder(state.pki)
    try writeFile(state.authority, authority.certificate, mode: 0o644)
    for name in ["oms", "gateway", "risk-manager"] {
      let credentials = try authority.issue(service: name, now: now)
      try writeFile(state.certificate(of: name), credentials.certificate, mode: 0o644)
      try writeFile(state.key(of: name), credentials.key, mode: 0o600)
    }
  }

  func token(
    scopes: Set<String>, issuer: String = "shrivenquant", expires: Duration = .seconds(60),
    key: SigningKey? = nil, keyID: String = "k1"
  ) -> String {
    let now = SystemTime().now
    let claims = TokenClaims(
      issuer: issuer,
      user: UserIdentity(
        id: "u1", name: "ada", roles: ["viewer"], scopes: scopes, expires: now + expires),
      issued: now)
    return JSONWebToken.sign(key: key ?? signing, keyID: keyID) { claims.write(into: &$0) }
  }

  func context(_ loop: EventLoop, mesh: MeshSettings = .defaults) -> ServiceContext {
    let context = ServiceContext(
      name: "oms", mesh: mesh, loop: loop, state: state,
      connect: { name in InProcessChannel(methods: [], loop: loop) })
    let keys = JSONWebKeySet(["k1": signing.publicKey])
    context.tokens.fetch { keys }
    return context
  }

  /// A channel that shows the certificate of `service`; plaintext when it is nil.
  func channel(
    as service: String?, to address: Address, _ loop: EventLoop
  ) throws -> NetworkChannel {
    var options = ChannelOptions()
    if let service {
      options.tls = try MeshTLS(state, name: service, facesPeople: false).client
    }
    return NetworkChannel(to: "oms", at: [address], options: options, loop: loop)
  }
}

/// Runs `body` with an example service that listens and has not begun, and ends it.
func withExample(
  mesh settings: MeshSettings = .defaults,
  _ body:
    @escaping @Sendable (
      ExampleMesh, ServiceHost<ExampleService>, EventLoop
    ) async throws -> Void
) async throws {
  try await withLoop { loop in
    let mesh = try ExampleMesh()
    let host = try await ServiceHost<ExampleService>(
      mesh.context(loop, mesh: settings), .defaults,
      tls: MeshTLS(mesh.state, name: "oms", facesPeople: false),
      listen: .tcp(host: "127.0.0.1", port: 0))
    let result: Result<Void, any Error>
    do { result = .success(try await body(mesh, host, loop)) } catch { result = .failure(error) }
    host.service.steps.letDrain()
    if !host.service.steps.reached.contains("stop") { await host.end(within: .seconds(1)) }
    try result.get()
  }
}
