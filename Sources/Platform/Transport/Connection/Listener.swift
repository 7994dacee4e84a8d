internal import CLinux
internal import Glibc
package import Loop

/// Accepts connections on one address. Confined to its loop's thread.
package final class Listener: Pollable {
  package let loop: EventLoop
  /// The address with the port that the kernel chose, if 0 was asked for.
  package private(set) var address: Address

  private let fd: Int32
  private let family: Int32
  private var registration: Registration?
  private var isClosed = false
  private let accepted: (Connection) -> Void

  /// Connections that the kernel keeps for us while we are busy.
  private static let backlog: Int32 = 1024
  /// Accepted per readiness, so that a connection flood leaves room for others.
  private static let acceptsPerTurn = 64
  /// A pause when no file descriptor is left, instead of spinning on the ready socket.
  private static let exhaustedPause = Duration.milliseconds(50)

  /// On the loop: binds and listens. `accepted` is to set the connection's driver at once.
  package init(
    _ address: Address, loop: EventLoop, sharesPort: Bool = false,
    accepted: @escaping (Connection) -> Void
  ) throws(TransportError) {
    loop.assertInLoop()
    self.loop = loop
    self.accepted = accepted
    guard let local = try SocketAddress.candidates(address, passive: true).first else {
      throw TransportError("\(address) names no address")
    }
    self.family = local.family
    let fd = try SocketOptions.open(family: local.family)
    self.fd = fd
    self.address = address
    if case .unix(let path) = address { unlink(path) }
    SocketOptions.set(fd, SOL_SOCKET, SO_REUSEADDR)
    if sharesPort { SocketOptions.set(fd, SOL_SOCKET, SO_REUSEPORT) }
    let code = local.withPointer { bind(fd, $0, $1) == 0 ? listen(fd, Self.backlog) : -1 }
    guard code == 0 else {
      let why = String(cString: strerror(clinux_errno()))
      Glibc.close(fd)
      throw TransportError("cannot listen on \(address): \(why)")
    }
    if case .tcp(let host, 0) = address {
      var bound = SocketAddress()
      _ = bound.withMutablePointer { getsockname(fd, $0, $1) }
      self.address = .tcp(host: host, port: bound.port)
    }
    do {
      registration = try loop.register(fd, .readable, self)
    } catch {
      Glibc.close(fd)
      throw TransportError(error.description)
    }
  }

  package func ready(_ readiness: Readiness) {
    for _ in 0..<Self.acceptsPerTurn {
      var remote = SocketAddress()
      let accepted = remote.withMutablePointer { clinux_accept(fd, $0, $1) }
      guard accepted >= 0 else {
        let code = clinux_errno()
        if code == EINTR || code == ECONNABORTED { continue }
        if code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM { pause() }
        return
      }
      SocketOptions.prepare(accepted, family: family)
      let connection = Connection(
        fd: accepted, loop: loop, address: remote.text, tls: nil, isConnecting: false)
      self.accepted(connection)
      connection.start()
      if isClosed { return }
    }
  }

  private func pause() {
    guard let registration else { return }
    loop.change(registration, to: [])
    loop.schedule(after: Self.exhaustedPause) { [weak self] in
      guard let self, let registration = self.registration else { return }
      self.loop.change(registration, to: .readable)
    }
  }

  /// Accepts no more. Connections that exist go on.
  package func close() {
    guard !isClosed else { return }
    isClosed = true
    if let registration { loop.unregister(registration) }
    registration = nil
    Glibc.close(fd)
    if case .unix(let path) = address { unlink(path) }
  }
}
