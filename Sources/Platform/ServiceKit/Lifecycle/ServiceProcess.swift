internal import CLinux
internal import Chrono
internal import Glibc
internal import Loop
private import Synchronization
internal import Telemetry
internal import Transport

/// What a process that runs one service is told from outside.
package struct ProcessOptions: Sendable {
  package var state: StateFolder
  package var ports: PortTable
  package var sources: SettingsSources

  package init(state: StateFolder, ports: PortTable, sources: SettingsSources) {
    self.state = state
    self.ports = ports
    self.sources = sources
  }
}

/// Exit codes of a service's process.
package enum ServiceExit {
  package static let done: Int32 = 0
  package static let failed: Int32 = 1
  /// The settings are wrong (EX_CONFIG of sysexits.h): starting again would not help.
  package static let badSettings: Int32 = 78
}

/// A process that is one service: settings, port, discovery, signals.
package enum ServiceProcess<Service: ServiceDefinition> {
  /// A start has run code that is not run again, 9 MB of it resident; by now it is over.
  private static var settlingTime: Duration { .seconds(5) }

  /// Reads the settings without starting anything.
  package static func load(
    _ options: ProcessOptions
  ) throws(SettingsError) -> LoadedSettings<Service.Config> {
    try LoadedSettings(
      Service.name, from: options.sources, sections: options.ports.services.map(\.name.text))
  }

  /// Runs on the calling thread until the service has ended; the process's exit code.
  package static func run(_ options: ProcessOptions) -> Int32 {
    let loaded: LoadedSettings<Service.Config>
    do throws(SettingsError) {
      loaded = try load(options)
    } catch {
      let sink = LogSink(.descriptor(2), level: .info)
      for problem in error.problems {
        Log(sink, service: Service.name.text).critical("bad settings", ["problem": .text(problem)])
      }
      return ServiceExit.badSettings
    }
    SignalWatch.block()
    clinux_keep_heap()
    let level = LogLevel(name: loaded.mesh.logLevel.rawValue) ?? .info
    let log = Log(LogSink(.descriptor(2), level: level), service: Service.name.text)
    let loop = EventLoop(name: Service.name.text)
    let code = Mutex(ServiceExit.failed)
    loop.execute {
      _ = loop.spawn {
        let ended = await life(options, loaded, loop, log)
        code.withLock { $0 = ended }
        loop.stop()
      }
    }
    loop.run()
    return code.withLock { $0 }
  }

  private static func life(
    _ options: ProcessOptions, _ loaded: LoadedSettings<Service.Config>, _ loop: EventLoop,
    _ log: Log
  ) async -> Int32 {
    do {
      let signals = StopSignals(loop, log)
      let watch = try SignalWatch(loop) { signals.received($0) }
      defer { watch.stop() }
      guard let port = options.ports.port(of: Service.name) else {
        throw SettingsError("\(options.ports.path) has no port for \(Service.name)")
      }
      let tls = try MeshTLS(
        options.state, name: Service.name.text, facesPeople: Service.facesPeople)
      signals.reload = {
        do { try tls.reload() } catch {
          log.error("certificates not reloaded", ["error": LogValue(describing: error)])
        }
      }
      let metrics = MetricsRegistry()
      ProcessMetrics.register(in: metrics)
      let neighbours = Neighbours(
        ports: options.ports, mesh: loaded.mesh, client: tls.client, metrics: metrics, loop: loop)
      let context = ServiceContext(
        name: Service.name, mesh: loaded.mesh, loop: loop, log: log, metrics: metrics,
        state: options.state, ports: options.ports, connect: { neighbours.channel(to: $0) })
      let host = try await ServiceHost<Service>(
        context, loaded.config, tls: tls,
        listen: .tcp(host: loaded.mesh.listenHost, port: port))
      log.info("listening", ["address": LogValue(describing: host.address)])
      watchCertificates(tls, context)
      return await serve(host, neighbours, port: port, signals)
    } catch {
      log.critical("the service cannot start", ["error": .text(errorText(error))])
      return ServiceExit.failed
    }
  }

  private static func watchCertificates(_ tls: MeshTLS, _ context: ServiceContext) {
    let files = CertificateWatch(tls.files) { try tls.reload() }
    context.spawn("watch certificates", every: context.mesh.certificatesCheck) {
      if try files.look() { context.log.info("certificates read again") }
    }
  }

  private static func serve(
    _ host: ServiceHost<Service>, _ neighbours: Neighbours, port: Int, _ signals: StopSignals
  ) async -> Int32 {
    let context = host.context
    let log = context.log
    let lease = LeaseKeeper(context, port: port)
    let discovery = context.channel(to: "discovery")
    context.spawn("follow discovery") { try await neighbours.follow(discovery) }
    let failure = Mutex<String?>(nil)
    let starting = context.loop.spawn {
      do {
        try await host.begin()
      } catch {
        failure.withLock { $0 = errorText(error) }
        signals.stop()
      }
    }
    context.whenEndIsAskedFor { reason in
      failure.withLock { $0 = reason }
      context.loop.execute { signals.stop() }
    }
    context.readiness.onChange { lease.healthChanged(isServing: $0) }
    context.spawn("register with discovery") { try await lease.keep() }
    // Before they are needed: auth may be dead by then.
    context.spawn("keep token keys") {
      while !Task.isCancelled {
        let hasKeys = await context.tokens.keepFresh()
        await context.loop.sleep(for: hasKeys ? context.mesh.keysRefresh / 4 : .seconds(1))
      }
    }
    context.loop.schedule(after: settlingTime) { clinux_let_go_of_code() }
    await signals.wait()
    log.info("stopping", ["drain_time_max": LogValue(describing: context.mesh.drainTimeMax)])
    starting.cancel()
    // First who watches this instance, then who asks discovery; then there is time to turn away.
    host.turnAway()
    await lease.end()
    await context.loop.sleep(for: context.mesh.drainNotice)
    await host.end(within: context.mesh.drainTimeMax)
    if let problem = failure.withLock({ $0 }) {
      log.critical("the service cannot go on", ["error": .text(problem)])
      return ServiceExit.failed
    }
    log.info("stopped")
    return ServiceExit.done
  }
}

/// The first SIGTERM or SIGINT asks for an end in order, the second ends the process at once, SIGHUP
/// reads certificates again.
///
/// `@unchecked Sendable`: confined to its loop.
final class StopSignals: @unchecked Sendable {
  private let loop: EventLoop
  private let log: Log
  private var isStopping = false
  private var waiter: CheckedContinuation<Void, Never>?
  var reload: () -> Void = {}

  init(_ loop: EventLoop, _ log: Log) {
    self.loop = loop
    self.log = log
  }

  func received(_ signal: Int32) {
    switch signal {
    case SIGTERM, SIGINT:
      if isStopping {
        log.warning("ended by a second signal")
        _exit(128 + signal)
      }
      stop()
    case SIGHUP: reload()
    default: break
    }
  }

  func stop() {
    loop.assertInLoop()
    isStopping = true
    waiter?.resume()
    waiter = nil
  }

  func wait() async {
    await withCheckedContinuation { continuation in
      loop.assertInLoop()
      if isStopping { continuation.resume() } else { waiter = continuation }
    }
  }
}
