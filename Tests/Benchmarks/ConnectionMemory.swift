import Calls
import Chrono
import Contracts
import Glibc
import Loop
import Security
import Transport
import Wire

/// `memory.connections`: what the server's process holds for each idle HTTP/2 connection, at three
/// counts: it must not depend on how many there are. `memory.connections.tls` is the same over TLS,
/// `memory.streams` has a hundred open streams on each connection.
enum ConnectionMemory {
  static func run() throws -> [Figures] {
    let workspace = try Workspace("memory")
    let files = try ServerFiles(in: workspace)
    try raiseDescriptorLimit(to: 12_000)
    return [
      try connections("memory.connections", at: [2_000, 5_000, 10_000], nil),
      try connections("memory.connections.tls", at: [500, 1_000, 2_000], files),
      try streams(at: [200, 500, 1_000]),
    ]
  }

  private static func connections(
    _ name: String, at counts: [Int], _ files: ServerFiles?
  ) throws -> Figures {
    let ours = try Contender.ours(files?.options ?? [])
    if files == nil { try ours.checkEcho() }
    let (port, authority, server) = (ours.port, files?.authority, ours.child.pid)
    let readings = try onLoop { loop in
      let tls = try authority.map {
        try TLSContext.client(nil, trust: .authorities($0), alpn: .h2)
      }
      var idle: [IdleConnection] = []
      var readings = [await Reading(0, server, loop)]
      for count in counts {
        while idle.count < count {
          let connection = try await Connector.connect(
            .tcp(host: "127.0.0.1", port: port), tls: tls, loop: loop,
            deadline: loop.uptime + .seconds(10))
          let fresh = IdleConnection(connection)
          await fresh.greet()
          idle.append(fresh)
        }
        readings.append(await Reading(count, server, loop))
      }
      for connection in idle { connection.close() }
      return readings
    }
    return figures(name, readings)
  }

  private static func streams(at counts: [Int]) throws -> Figures {
    let ours = try Contender.ours()
    try ours.checkEcho()
    let (port, server) = (ours.port, ours.child.pid)
    let readings = try onLoop { loop in
      var channels: [NetworkChannel] = []
      var open: [any ClientStream] = []
      var readings = [await Reading(0, server, loop)]
      for count in counts {
        while open.count < count {
          if open.count % 100 == 0 { channels.append(plainChannel(port, loop)) }
          var options = CallOptions()
          options.waitsForReady = true
          let stream = try await channels[channels.count - 1].open(EchoServer.hold, options)
          try await stream.send(EchoServer.message.encoded())
          open.append(stream)
        }
        readings.append(await Reading(count, server, loop))
      }
      for channel in channels { channel.close() }
      return readings
    }
    return figures("memory.streams", readings)
  }

  /// Kilobytes for each: up to a count, and for those that came since the count before.
  private static func figures(_ name: String, _ readings: [Reading]) -> Figures {
    var figures = Figures(name)
    for (before, reading) in zip(readings, readings.dropFirst()) {
      let all = (reading.kilobytes - readings[0].kilobytes) / Double(reading.count)
      let further =
        (reading.kilobytes - before.kilobytes) / Double(reading.count - before.count)
      figures.more.append(("kb_each_of_\(reading.count)", all))
      figures.more.append(("kb_each_beyond_\(before.count)", further))
    }
    return figures
  }

  private static func raiseDescriptorLimit(to count: rlim_t) throws {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    guard limit.rlim_cur < count else { return }
    limit.rlim_cur = min(limit.rlim_max, count)
    guard limit.rlim_cur >= count,
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
    else { throw Skipped(reason: "fewer than \(count) open files are allowed (ulimit -n)") }
  }
}

/// What the server held for so many connections or streams.
private struct Reading: Sendable {
  let count: Int
  let kilobytes: Double

  /// Two seconds after the last of them came: TLS sessions have let go of their buffers by then.
  init(_ count: Int, _ server: pid_t, _ loop: EventLoop) async {
    await loop.sleep(for: .milliseconds(2_200))
    self.count = count
    kilobytes = Process.residentKilobytes(of: server)?.anonymous ?? 0
  }
}

/// An HTTP/2 connection on which nothing happens after both sides have said their settings.
/// `@unchecked Sendable`: loop-confined.
private final class IdleConnection: ConnectionDriver, @unchecked Sendable {
  private let connection: Connection
  private var waiter: CheckedContinuation<Void, Never>?

  /// Preface, our empty SETTINGS, and the acknowledgement of theirs.
  private static let greeting =
    Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    + [0, 0, 0, 4, 0, 0, 0, 0, 0] + [0, 0, 0, 4, 1, 0, 0, 0, 0]

  init(_ connection: Connection) {
    self.connection = connection
    connection.driver = self
  }

  /// Until the server has answered.
  func greet() async {
    await withCheckedContinuation { continuation in
      waiter = continuation
      connection.resumeReading()
      connection.send(Self.greeting)
    }
  }

  func close() { connection.abort() }

  func connected() {}
  func drained() {}

  func received(_ bytes: UnsafeRawBufferPointer) { settle() }
  func closed(_ reason: CloseReason) { settle() }

  private func settle() {
    waiter?.resume()
    waiter = nil
  }
}
