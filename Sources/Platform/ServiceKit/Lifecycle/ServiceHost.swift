internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import Telemetry
package import Transport

/// One service with its port: opened, begun, ended. The process adds settings and signals to it, and
/// tests use it as it is.
package final class ServiceHost<Service: ServiceDefinition>: Sendable {
  package let service: Service
  package let context: ServiceContext
  /// Where it listens; for port 0 the one that was chosen.
  package let address: Address
  private let server: Server
  private let gate: AdmissionGate
  private let health: HealthService
  private let started: ReadinessBoard.Requirement
  private let control: OperatorControl
  /// Loops beside the service's own, which connections live on.
  private let further: [(loop: EventLoop, thread: LoopThread)]

  /// Wires the service and opens its port: health and metrics answer from here on, calls are
  /// UNAVAILABLE. `tls` is nil for ports of tests, which then take everything in plaintext.
  package init(
    _ context: ServiceContext, _ config: Service.Config, tls: MeshTLS?, listen: Address
  ) async throws {
    self.context = context
    started = context.readiness.require("started", reason: "starting")
    let serving = context.readiness.require("serving", reason: "starting")
    serving.hold()
    let service = try await Service(context, config)
    self.service = service
    gate = AdmissionGate()
    health = HealthService()
    control = OperatorControl(gate, serving, context.log) {
      await context.loop.spawn { await service.drain() }.value
    }
    tls?.register(in: context.metrics)
    further = (1..<context.mesh.loops).map { number in
      let loop = EventLoop(name: "\(Service.name)-\(number)")
      return (loop, loop.start())
    }
    server = Server(
      Self.configuration(context, service, gate, control, health, tls, listen),
      loops: [context.loop] + further.map(\.loop), handlersRunAnywhere: Service.handlersRunAnywhere
    )
    do {
      address = try await server.start()
    } catch {
      await Self.end(server, further)
      throw error
    }
    let names = [Service.name.text] + Set(service.methods.map(\.descriptor.service)).sorted()
    context.readiness.onChange { [health] isReady in
      for name in ["", "liveness"] + names {
        health.set(isReady || name == "liveness" ? .serving : .notServing, of: name)
      }
    }
  }

  /// Everything around a call, in order, is here.
  private static func configuration(
    _ context: ServiceContext, _ service: Service, _ gate: AdmissionGate,
    _ control: OperatorControl, _ health: HealthService, _ tls: MeshTLS?, _ listen: Address
  ) -> ServerConfiguration {
    let own = service.methods + health.methods
    let sizes = MessageMetrics(context.metrics)
    let methods = (own + ReflectionService(serving: own).bothVersions).map(sizes.counting)
    var configuration = ServerConfiguration(
      address: listen, tls: tls?.server, methods: methods,
      responder: OperationResponder(
        service: Service.name, instance: context.instance, readiness: context.readiness,
        metrics: context.metrics, control: control, inner: service.responder))
    configuration.drainEndsStreams = true
    configuration.plaintextPolicy =
      tls == nil || Service.facesPeople ? .everything : .healthAndMetricsOnly
    // The trace was taken from the request by the transport, which also ends calls at their deadline.
    configuration.interceptors = [
      CallLog(log: context.log, time: context.time),
      gate,
      AccessControl(tokens: context.tokens),
      StorageFailures(),
    ]
    context.mesh.port.apply(to: &configuration.limits)
    configuration.observer = CallMetrics(
      methods.map(\.descriptor), metrics: context.metrics, log: context.log)
    return configuration
  }

  /// Starts the service and lets calls in.
  package func begin() async throws {
    try await service.start()
    gate.open()
    started.hold()
  }

  /// Says NOT_SERVING to everybody who watches, so that new calls go elsewhere; those that come are
  /// served. Soon afterwards: `end`.
  package func turnAway() { control.turnAway() }

  /// Ends in order: NOT_SERVING, no new work, calls in flight finished within `limit`, tasks, stores.
  package func end(within limit: Duration) async {
    await control.end()
    health.endWatches()
    await server.drain(within: limit)
    await context.stopTasks()
    await service.stop()
    await Self.end(server, further)
  }

  private static func end(
    _ server: Server, _ further: [(loop: EventLoop, thread: LoopThread)]
  ) async {
    await server.stop()
    for (loop, thread) in further {
      loop.stop()
      thread.join()
    }
  }
}
