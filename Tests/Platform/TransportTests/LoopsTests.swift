import Calls
import Loop
import Security
import Synchronization
import TestKit
import Testing
import Transport

@Suite struct `Server on several loops` {
  private static let connections = 60

  @Test func `calls of every shape on every loop have their handlers at home`() async throws {
    try await withLoop { home in
      try await withLoop { second in
        try await withLoop { third in
          let places = Places(home)
          let world = try await SeveralLoops.start([home, second, third], places)

          try await world.callEverything(from: Self.connections)

          // Those of plain requests go when both sides have seen their end.
          #expect(await eventually { await world.server.connectionCount() == Self.connections })
          let counts = await world.server.connectionCounts()
          #expect(counts.allSatisfy { $0 > 0 }, "\(counts)")
          #expect(places.elsewhere == 0)
          // Interceptor and handler of four shapes, and a responder.
          #expect(places.atHome == Self.connections * 9)
          await world.stop()
        }
      }
    }
  }

  @Test func `handlers that may run anywhere do`() async throws {
    try await withLoop { home in
      try await withLoop { second in
        let places = Places(home)
        let world = try await SeveralLoops.start([home, second], places, runAnywhere: true)

        try await world.callEverything(from: Self.connections)

        #expect(places.elsewhere > 0 && places.atHome > 0)
        await world.stop()
      }
    }
  }

  @Test func `a drain lets the calls of all loops finish`() async throws {
    try await withLoop { home in
      try await withLoop { second in
        let world = try await SeveralLoops.start([home, second], Places(home))
        var open: [any ClientStream] = []
        for channel in try world.channels(20) {
          let stream = try await channel.open(EchoService.chat, CallOptions())
          try await stream.send([1])
          #expect(try await stream.next() != nil)
          open.append(stream)
        }
        #expect(await world.server.connectionCounts().allSatisfy { $0 > 0 })

        async let drained: Void = world.server.drain(within: .seconds(30))
        for stream in open {
          try await stream.send([2])
          #expect(try await stream.next() != nil)
          try await stream.finishSending()
          #expect(try await stream.next() == nil)
        }
        await drained

        #expect(await world.server.connectionCount() == 0)
        await #expect(throws: TransportError.self) { _ = try await world.page() }
        await world.stop()
      }
    }
  }
}

/// Counts where code ran.
private final class Places: ServerInterceptor, HTTPResponder {
  private let home: EventLoop
  private let counts = Mutex((atHome: 0, elsewhere: 0))

  init(_ home: EventLoop) { self.home = home }

  var atHome: Int { counts.withLock { $0.atHome } }
  var elsewhere: Int { counts.withLock { $0.elsewhere } }

  func note() {
    let isHome = home.isCurrent
    counts.withLock { if isHome { $0.atHome += 1 } else { $0.elsewhere += 1 } }
  }

  func intercept(_ context: ServerContext, _ next: () async throws -> Void) async throws {
    note()
    try await next()
  }

  func respond(to request: HTTPRequest) async -> HTTPResponse {
    note()
    return HTTPResponse(status: 200, contentType: "text/plain", body: "here")
  }
}

/// An echo over TLS and plaintext on several loops, and clients of it on the first.
private final class SeveralLoops: Sendable {
  let server: Server
  let address: Address
  private let loop: EventLoop
  private let made = Mutex<[NetworkChannel]>([])

  private init(_ server: Server, _ address: Address, _ loop: EventLoop) {
    self.server = server
    self.address = address
    self.loop = loop
  }

  static func start(
    _ loops: [EventLoop], _ places: Places, runAnywhere: Bool = false
  ) async throws -> SeveralLoops {
    var configuration = ServerConfiguration(
      address: .tcp(host: "127.0.0.1", port: 0), tls: try TestMesh.shared.serverTLS("echo"),
      methods: EchoService().methods.map { noting($0, places) }, responder: places)
    configuration.plaintextPolicy = .everything
    configuration.interceptors = [places]
    let server = Server(configuration, loops: loops, handlersRunAnywhere: runAnywhere)
    return SeveralLoops(server, try await server.start(), loops[0])
  }

  private static func noting(_ method: ServerMethod, _ places: Places) -> ServerMethod {
    switch method.handler {
    case .unary(let handler):
      ServerMethod(
        method.descriptor,
        .unary { request, context in
          places.note()
          return try await handler(request, context)
        })
    case .streaming(let handler):
      ServerMethod(
        method.descriptor,
        .streaming { requests, responses, context in
          places.note()
          try await handler(requests, responses, context)
        })
    }
  }

  /// One connection each, every second one over TLS.
  func channels(_ count: Int) throws -> [NetworkChannel] {
    let tls = try TestMesh.shared.clientTLS("gateway")
    let fresh = (0..<count).map { number in
      NetworkChannel(
        to: "echo", at: [address], options: ChannelOptions(tls: number % 2 == 0 ? tls : nil),
        loop: loop)
    }
    made.withLock { $0 += fresh }
    return fresh
  }

  /// From so many connections, all at once.
  func callEverything(from count: Int) async throws {
    let channels = try channels(count)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for channel in channels {
        group.addTask { try await self.callEverything(on: channel) }
      }
      try await group.waitForAll()
    }
  }

  private func callEverything(on channel: NetworkChannel) async throws {
    #expect(try await channel.unary(EchoService.unary, [1, 2], CallOptions()) == [1, 2])
    let stream = try await channel.open(EchoService.repeat, CallOptions())
    try await stream.send(Array("300".utf8))
    try await stream.finishSending()
    var count = 0
    while try await stream.next() != nil { count += 1 }
    #expect(count == 300)
    for method in [EchoService.join, EchoService.chat] {
      let stream = try await channel.open(method, CallOptions())
      try await stream.send([1])
      try await stream.send([2])
      try await stream.finishSending()
      var answer: [UInt8] = []
      while let next = try await stream.next() { answer += next }
      #expect(answer == [1, 2])
    }
    #expect(try await page().hasSuffix("here"))
  }

  func page() async throws -> String {
    guard case .tcp(_, let port) = address else { return "" }
    return try await RawClient.exchange(
      Array("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8), port: port,
      loop: loop)
  }

  func stop() async {
    for channel in made.withLock({ $0 }) { channel.close() }
    await server.stop()
  }
}
