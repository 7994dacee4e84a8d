import Calls
import Glibc
import Loop
import TestKit
import Testing
import Transport

@Suite struct `Socket options` {
  @Test func `EX-15 connections of both sides have their socket options`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop)
      let channel = try mesh.channel(on: loop)
      _ = try await channel.unary(EchoService.unary, [1], CallOptions())

      let sockets = Sockets.connected(through: mesh.port)

      #expect(sockets.count == 2)
      for socket in sockets {
        #expect(Sockets.option(socket, Int32(IPPROTO_TCP), TCP_NODELAY) == 1)
        #expect(Sockets.option(socket, SOL_SOCKET, SO_KEEPALIVE) == 1)
        #expect(Sockets.option(socket, Int32(IPPROTO_TCP), TCP_KEEPIDLE) == 30)
      }
      // While something is not acknowledged yet, `ss` shows the timer of that instead.
      #expect(
        await eventually {
          let told = try? await run("ss", ["-tinoH", "sport", "=", ":\(mesh.port)"])
          return told.map { $0.status != 0 || $0.output.contains("timer:(keepalive,") } ?? true
        })
      channel.close()
      await mesh.server.stop()
    }
  }

  @Test func `EX-15 a port is shared by the loops of one server, and by nobody else`() async throws
  {
    try await withLoop { first in
      try await withLoop { second in
        let (shared, address) = try await StablePort.use { port in
          let server = Server(
            ServerConfiguration(address: .tcp(host: "127.0.0.1", port: port)),
            loops: [first, second], handlersRunAnywhere: false)
          return (server, try await server.start())
        }
        guard case .tcp(_, let port) = address else { return }

        let listeners = Sockets.listening(on: port)
        #expect(listeners.map { Sockets.option($0, SOL_SOCKET, SO_REUSEPORT) } == [1, 1])

        let alone = Server(ServerConfiguration(address: address), loop: first)
        await #expect(throws: TransportError.self) { try await alone.start() }
        await shared.stop()
        _ = try await alone.start()
        let own = Sockets.listening(on: port)
        #expect(own.map { Sockets.option($0, SOL_SOCKET, SO_REUSEPORT) } == [0])
        await alone.stop()
      }
    }
  }
}

/// The TCP sockets of this process.
private enum Sockets {
  /// The descriptors of this process, of which other tests may have opened thousands.
  private static var open: [Int32] {
    guard let folder = opendir("/proc/self/fd") else { return [] }
    defer { closedir(folder) }
    var open: [Int32] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if let descriptor = Int32(name) { open.append(descriptor) }
    }
    return open
  }

  /// Those with a peer that have this port on one side.
  static func connected(through port: Int) -> [Int32] {
    open.filter { fd in
      let (own, peer) = (Self.port(fd, getsockname), Self.port(fd, getpeername))
      return peer != nil && (own == port || peer == port)
    }
  }

  /// Those that listen on this port.
  static func listening(on port: Int) -> [Int32] {
    open.filter { fd in
      Self.option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1 && Self.port(fd, getsockname) == port
    }
  }

  static func option(_ fd: Int32, _ level: Int32, _ name: Int32) -> Int32? {
    var (value, size) = (Int32(-1), socklen_t(MemoryLayout<Int32>.size))
    return getsockopt(fd, level, name, &value, &size) == 0 ? value : nil
  }

  private static func port(
    _ fd: Int32,
    _ ask: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
  ) -> Int? {
    var (address, size) = (sockaddr_in(), socklen_t(MemoryLayout<sockaddr_in>.size))
    let code = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { ask(fd, $0, &size) }
    }
    guard code == 0, address.sin_family == sa_family_t(AF_INET) else { return nil }
    return Int(UInt16(bigEndian: address.sin_port))
  }
}
