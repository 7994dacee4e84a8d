package import Loop
private import Synchronization

/// A server on one port, speaking TLS 1.3, HTTP/2 and HTTP/1.1, on one or more loops. With several,
/// each listens on the same port (SO_REUSEPORT), and the kernel spreads connections over them.
///
/// `@unchecked Sendable`: each `LoopServer` is touched on its own loop only; the rest is immutable.
package final class Server: @unchecked Sendable {
  private let configuration: ServerConfiguration
  private let parts: [(loop: EventLoop, server: LoopServer)]

  /// A connection lives on one of `loops`: its bytes, TLS and frames. Handlers, responders and
  /// interceptors run on the first, the home of what they share, unless `handlersRunAnywhere`.
  /// WebSockets stay on their connection's loop.
  package init(
    _ configuration: ServerConfiguration, loops: [EventLoop], handlersRunAnywhere: Bool
  ) {
    precondition(!loops.isEmpty, "a server needs a loop")
    self.configuration = configuration
    let shared = ServerShared(
      configuration, home: loops.count > 1 && !handlersRunAnywhere ? loops[0] : nil)
    parts = loops.map { ($0, LoopServer($0, shared, tls: configuration.tls)) }
  }

  package convenience init(_ configuration: ServerConfiguration, loop: EventLoop) {
    self.init(configuration, loops: [loop], handlersRunAnywhere: true)
  }

  /// Listens. The address that is returned has the port that was chosen for port 0.
  package func start() async throws(TransportError) -> Address {
    var address = configuration.address
    for index in parts.indices {
      let wanted = address
      let result = await on(parts[index].loop) {
        () -> Result<Address, TransportError> in
        do throws(TransportError) {
          return .success(
            try self.parts[index].server.listen(wanted, sharesPort: self.parts.count > 1))
        } catch {
          return .failure(error)
        }
      }
      address = try result.get()
    }
    return address
  }

  /// Ends gracefully: no new connections, calls that run are finished, at most for so long.
  package func drain(within limit: Duration) async {
    await withTaskGroup(of: Void.self) { group in
      for index in parts.indices {
        group.addTask { await self.drain(index, limit) }
      }
    }
  }

  private func drain(_ index: Int, _ limit: Duration) async {
    let loop = parts[index].loop
    await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
      loop.onLoop {
        let waiter = Once(continuation)
        let timer = loop.schedule(after: limit) {
          self.parts[index].server.stop()
          waiter.resume()
        }
        self.parts[index].server.drain {
          loop.cancel(timer)
          waiter.resume()
        }
      }
    }
  }

  /// Closes the port and all connections at once; their calls are cancelled.
  package func stop() async {
    for index in parts.indices {
      await on(parts[index].loop) { self.parts[index].server.stop() }
    }
  }

  package func connectionCount() async -> Int { await connectionCounts().reduce(0, +) }

  /// Of each loop, in order.
  package func connectionCounts() async -> [Int] {
    var counts: [Int] = []
    for index in parts.indices {
      counts.append(await on(parts[index].loop) { self.parts[index].server.connectionCount })
    }
    return counts
  }

  private func on<R: Sendable>(_ loop: EventLoop, _ body: @escaping @Sendable () -> R) async -> R {
    await withCheckedContinuation { continuation in
      loop.onLoop { continuation.resume(returning: body()) }
    }
  }
}

/// A continuation that may be resumed by whichever of two events comes first. Loop-confined.
private final class Once {
  private var continuation: CheckedContinuation<Void, Never>?
  init(_ continuation: CheckedContinuation<Void, Never>) { self.continuation = continuation }

  func resume() {
    continuation?.resume()
    continuation = nil
  }
}
