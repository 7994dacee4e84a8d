internal import CLinux
package import Chrono
internal import Glibc
package import Loop
package import Security

/// Makes connections.
package enum Connector {
  /// Begins a connection on the loop; `driver` is told `connected`, or `closed` when it fails.
  /// `address` is what `remote` was called.
  static func begin(
    _ remote: SocketAddress, of address: Address, tls: TLSContext?,
    expecting expectation: PeerExpectation?, loop: EventLoop, driver: any ConnectionDriver
  ) throws(TransportError) -> Connection {
    loop.assertInLoop()
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

  /// Connects to the first address of the name that answers, with the TLS handshake if there is one.
  /// The connection has no driver yet: set one at once, before the calling task suspends. Call on the
  /// loop.
  ///
  /// Reading is paused until then: call `resumeReading` when the driver is set.
  package static func connect(
    _ address: Address, tls: TLSContext?, expecting expectation: PeerExpectation? = nil,
    loop: EventLoop, deadline: Uptime
  ) async throws(TransportError) -> Connection {
    var why = TransportError("\(address) names no address")
    let found = try await HostResolver.shared.addresses(of: address, loop: loop, deadline: deadline)
    for (index, remote) in found.enumerated() {
      // The last one has all the time that is left.
      let share = (deadline - loop.uptime) / (found.count - index)
      let attempt = ConnectAttempt(loop)
      do throws(TransportError) {
        return try await attempt.run(remote, address, tls, expectation, loop.uptime + share)
      } catch {
        why = error
      }
    }
    throw why
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
    _ remote: SocketAddress, _ address: Address, _ tls: TLSContext?,
    _ expectation: PeerExpectation?, _ deadline: Uptime
  ) async throws(TransportError) -> Connection {
    let result = await withCheckedContinuation { continuation in
      loop.assertInLoop()
      waiter = continuation
      timer = loop.schedule(at: deadline) { [weak self] in
        self?.connection?.abort(.failed("no connection to \(address) in time"))
      }
      do throws(TransportError) {
        connection = try Connector.begin(
          remote, of: address, tls: tls, expecting: expectation, loop: loop, driver: self)
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
