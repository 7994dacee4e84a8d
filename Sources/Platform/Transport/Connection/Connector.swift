internal import CLinux
package import Chrono
internal import Glibc
package import Loop
package import Security

/// Makes connections.
package enum Connector {
  /// Begins a connection on the loop; `driver` is told `connected`, or `closed` when it fails.
  /// Blocks in the resolver for host names that are not numbers.
  package static func begin(
    _ address: Address, tls: TLSContext?, expecting expectation: PeerExpectation?, loop: EventLoop,
    driver: any ConnectionDriver
  ) throws(TransportError) -> Connection {
    loop.assertInLoop()
    guard let remote = try SocketAddress.candidates(address, passive: false).first else {
      throw TransportError("\(address) names no address")
    }
    let session: TLSSession?
    do {
      session = try tls.map { context throws(TLSError) in
        try TLSSession(context, expecting: expectation, at: address.description)
      }
    } catch {
      throw TransportError(error.description)
    }
    let fd = try SocketOptions.open(family: remote.family)
    SocketOptions.prepare(fd, family: remote.family)
    let code = remote.withPointer { Glibc.connect(fd, $0, $1) }
    if code != 0, clinux_errno() != EINPROGRESS {
      let why = String(cString: strerror(clinux_errno()))
      Glibc.close(fd)
      throw TransportError("cannot connect to \(address): \(why)")
    }
    let connection = Connection(
      fd: fd, loop: loop, address: address.description, tls: session, isConnecting: true)
    connection.driver = driver
    connection.start()
    return connection
  }

  /// Connects, with the TLS handshake if there is one. The connection has no driver yet: set one at
  /// once, before the calling task suspends. Call on the loop.
  ///
  /// Reading is paused until then: call `resumeReading` when the driver is set.
  package static func connect(
    _ address: Address, tls: TLSContext?, expecting expectation: PeerExpectation? = nil,
    loop: EventLoop, deadline: Uptime
  ) async throws(TransportError) -> Connection {
    let attempt = ConnectAttempt(loop)
    return try await attempt.run(address, tls, expectation, deadline)
  }
}

/// The driver of a connection while it is being made. `@unchecked Sendable`: loop-confined.
private final class ConnectAttempt: ConnectionDriver, @unchecked Sendable {
  private let loop: EventLoop
  private var connection: Connection?
  private var waiter: CheckedContinuation<Result<Void, TransportError>, Never>?
  private var timer: TimerToken?

  init(_ loop: EventLoop) { self.loop = loop }

  func run(
    _ address: Address, _ tls: TLSContext?, _ expectation: PeerExpectation?, _ deadline: Uptime
  ) async throws(TransportError) -> Connection {
    let result = await withCheckedContinuation { continuation in
      loop.assertInLoop()
      waiter = continuation
      timer = loop.schedule(at: deadline) { [weak self] in
        self?.connection?.abort(.failed("no connection to \(address) in time"))
      }
      do throws(TransportError) {
        connection = try Connector.begin(
          address, tls: tls, expecting: expectation, loop: loop, driver: self)
      } catch {
        settle(.failure(error))
      }
    }
    try result.get()
    let made = connection!
    connection = nil
    return made
  }

  private func settle(_ result: Result<Void, TransportError>) {
    if let timer { loop.cancel(timer) }
    waiter?.resume(returning: result)
    waiter = nil
  }

  func connected() {
    connection?.pauseReading()
    connection?.driver = nil
    settle(.success(()))
  }

  func received(_ bytes: UnsafeRawBufferPointer) {}
  func drained() {}

  func closed(_ reason: CloseReason) {
    settle(.failure(TransportError(reason.description)))
  }
}
