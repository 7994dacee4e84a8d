import Calls
import Chrono
import Glibc
import Loop
import Synchronization
import TestKit
import Testing

@testable import Transport

@Suite struct `Host names` {
  private typealias Answer = HostResolver.Answer

  private static func address(_ host: String) -> SocketAddress {
    try! SocketAddress.resolve(host: host, port: 0, passive: false, onlyNumbers: true)[0]
  }

  private static func ask(_ resolver: HostResolver, _ host: String) async -> Answer {
    await withCheckedContinuation { continuation in
      resolver.addresses(of: .tcp(host: host, port: 80)) { continuation.resume(returning: $0) }
    }
  }

  @Test func `numbers ask nobody, names are asked once while the answer is fresh`() async throws {
    let (asked, time) = (Trail(), SimulatedTime())
    let resolver = HostResolver(time: time) { host in
      asked.add(host)
      return .success([Self.address("127.0.0.1")])
    }
    #expect(try await Self.ask(resolver, "::1").get().map(\.text) == ["[::1]:80"])
    #expect(try await Self.ask(resolver, "10.0.0.1").get().map(\.text) == ["10.0.0.1:80"])
    #expect(asked.words == [])

    for _ in 0..<3 {
      #expect(try await Self.ask(resolver, "a").get().map(\.text) == ["127.0.0.1:80"])
    }
    #expect(asked.words == ["a"])
    time.advance(by: HostResolverLimits().freshness)
    _ = await Self.ask(resolver, "a")
    #expect(asked.words == ["a", "a"])
  }

  @Test func `a failure is remembered for a moment only`() async throws {
    let (asked, time) = (Trail(), SimulatedTime())
    let resolver = HostResolver(time: time) { host in
      asked.add(host)
      return .failure(TransportError("no \(host)"))
    }
    for _ in 0..<2 {
      let answer = await Self.ask(resolver, "a")
      #expect(throws: TransportError("no a")) { try answer.get() }
    }
    #expect(asked.words == ["a"])
    time.advance(by: HostResolverLimits().failureFreshness)
    _ = await Self.ask(resolver, "a")
    #expect(asked.words == ["a", "a"])
  }

  @Test func `a name server that is silent holds up neither the loop nor other names`()
    async throws
  {
    let silence = Lock()
    let resolver = HostResolver { host in
      if host == "silent" { silence.wait() }
      return .success([Self.address("127.0.0.1")])
    }
    try await withLoop { loop in
      await #expect(throws: TransportError("silent:1 was not resolved in time")) {
        try await resolver.addresses(
          of: .tcp(host: "silent", port: 1), loop: loop, deadline: loop.uptime + .milliseconds(5))
      }
      let found = try await resolver.addresses(
        of: .tcp(host: "other", port: 1), loop: loop, deadline: loop.uptime + .seconds(20))
      #expect(found.count == 1)
    }
    silence.open()
  }

  @Test func `names are bounded, and so are threads`() async throws {
    let (gate, running) = (Lock(), Counter())
    var limits = HostResolverLimits()
    limits.threadsMax = 2
    limits.namesMax = 3
    let resolver = HostResolver(limits) { _ in
      running.add()
      gate.wait()
      return .success([])
    }
    let answers = Counter()
    for host in ["a", "b", "c", "a"] {
      resolver.addresses(of: .tcp(host: host, port: 1)) { _ in answers.add() }
    }
    #expect(await eventually { running.value == 2 })
    guard case .failure(let error) = await Self.ask(resolver, "d") else {
      Issue.record("a fourth name was taken")
      return
    }
    #expect(error.description == "too many host names are being looked up")
    #expect(running.value == 2 && answers.value == 0)
    gate.open()
    #expect(await eventually { answers.value == 4 })
  }

  @Test func `kinds of addresses alternate, beginning with the system's choice`() {
    let found = ["::1", "::2", "::3", "10.0.0.1", "10.0.0.2"].map(Self.address)
    let mixed = HostResolver.alternating(found).map(\.text)
    #expect(mixed == ["[::1]:0", "10.0.0.1:0", "[::2]:0", "10.0.0.2:0", "[::3]:0"])
  }

  @Test func `a channel tries all addresses of a name, of both kinds`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop)
      let hosts = HostResolver { _ in
        // Nobody listens at the first ones.
        .success(["::1", "127.0.0.2", "127.0.0.3", "127.0.0.1"].map(Self.address))
      }
      var options = ChannelOptions(tls: try TestMesh.shared.clientTLS("gateway"))
      options.hosts = hosts
      let channel = NetworkChannel(
        to: "echo", at: [.tcp(host: "many", port: mesh.port)], options: options, loop: loop)
      #expect(await channel.error(EchoService.unary) == nil)
      channel.close()
      await mesh.server.stop()
    }
  }

  @Test func `a name that is not found in time fails its calls, not the loop`() async throws {
    try await withLoop { loop in
      let silence = Lock()
      var options = ChannelOptions()
      options.hosts = HostResolver { _ in
        silence.wait()
        return .success([])
      }
      options.connectTimeout = .milliseconds(5)
      options.backoff.initial = .milliseconds(5)
      let channel = NetworkChannel(
        to: "echo", at: [.tcp(host: "silent", port: 1)], options: options, loop: loop)
      let error = await channel.error(EchoService.unary)
      #expect(error?.message.contains("its name was not resolved in time") == true)
      channel.close()
      silence.open()
    }
  }

  /// Holds a thread until it is opened, as a name server that does not answer would.
  private final class Lock: Sendable {
    private let isOpen = Atomic(false)
    func open() { isOpen.store(true, ordering: .releasing) }
    func wait() { while !isOpen.load(ordering: .acquiring) { sched_yield() } }
  }
}
